-- Pictures: what one is and whose, its bytes beside it, and what a post or message says of its own.

-- `ref` is the post or message that shows it; until then it is its uploader's alone, and at `due` it is forgotten.
create table picture (
    id {key} primary key,
    account {key} not null references account (id),
    at {int} not null,
    due {int} not null,
    kind text,
    ref {key},
    type text not null,
    width {int} not null,
    height {int} not null
);
create index picture_account on picture (account, id);
create index picture_ref on picture (ref) where ref is not null;
create index picture_unclaimed on picture (account, due) where ref is null;

-- `part` is whole or preview; a table of its own, so that no look at `picture` reads bytes.
create table picture_bytes (
    picture {key} not null references picture (id) on delete cascade,
    part text not null,
    data {bytes} not null,
    primary key (picture, part)
);
{postgres} alter table picture_bytes alter column data set storage external;

-- A JSON list of what is shown; null where there is none.
alter table post add column pictures text;
alter table message add column pictures text;
