-- Timelines: every account has a channel for the posts of no community; what a post is to others; counts and reactions.

insert into channel (id, seq) select 'author:' || id, 0 from account;

-- `root` is the first post of the thread that a reply belongs to; `mentions` a JSON list of account ids.
alter table post add column reply_to {key};
alter table post add column root {key};
alter table post add column quote_of {key};
alter table post add column repost_of {key};
alter table post add column mask text;
alter table post add column mentions text not null default '[]';

-- The newest of a home, by id: what a timeline of many homes is put together from.
create index post_home on post (home, id) where deleted_at is null;
create index post_root on post (root, id) where root is not null;
create unique index post_repost on post (author, repost_of, home) where repost_of is not null and deleted_at is null;

-- How often: replies, reposts, quotes, likes, and each stamp by its name.
create table post_count (
    post {key} not null references post (id),
    what {key} not null,
    n {int} not null,
    primary key (post, what)
);

-- At most one stamp and one like of an account under a post: `kind` is stamp or like, `what` the stamp's name or like.
create table reaction (
    post {key} not null references post (id),
    account {key} not null references account (id),
    kind text not null,
    what text not null,
    at {int} not null,
    primary key (post, kind, account)
);
create index reaction_account on reaction (account, post);
