-- Communities and posts. A post stands in the log of its home: its community's channel.

create table community (
    id {key} primary key,
    name text not null,
    purpose text not null,
    access text not null default 'public',
    visibility text not null default 'visible',
    creator {key} not null references account (id),
    members {int} not null,
    created_at {int} not null
);

create index community_creator on community (creator);

create table community_member (
    community {key} not null references community (id),
    account {key} not null references account (id),
    role text not null,
    state text not null,
    from_seq {int} not null,
    joined_at {int} not null,
    primary key (community, account)
);
create index community_member_account on community_member (account, state, community);
-- Who a community passes to: admins first, then the eldest.
create index community_member_eldest on community_member (community, state, role, joined_at);

create table post (
    id {key} primary key,
    home {key} not null,
    seq {int} not null,
    community {key} references community (id),
    author {key} not null references account (id),
    at {int} not null,
    body text,
    deleted_at {int},
    unique (home, seq)
);
create index post_author on post (author, id);
