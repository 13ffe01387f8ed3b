-- The foundation: accounts, sessions, follows, rooms, messages, the channel log, nonces.
-- One text for both dialects; {int} {serial} {key} are filled in by storage/migrate.py.
-- Times are Unix milliseconds, ids 26 characters of Crockford base32 compared bytewise ({key}).

create table meta (
    name {key} primary key,
    value text not null
);

create table account (
    id {key} primary key,
    handle {key} not null unique,
    name text not null,
    state text not null default 'active',
    created_at {int} not null
);

create table session (
    id {key} primary key,
    account {key} not null references account (id),
    token_hash {key} not null unique,
    label text not null,
    created_at {int} not null,
    used_at {int} not null,
    revoked_at {int}
);
create index session_account on session (account);

create table follow (
    follower {key} not null references account (id),
    followee {key} not null references account (id),
    at {int} not null,
    primary key (follower, followee)
);
create index follow_followee on follow (followee, follower);

-- A channel's row is the lock under which its seq rises.
create table channel (
    id {key} primary key,
    seq {int} not null
);

create table room (
    id {key} primary key,
    kind text not null,
    state text not null,
    title text not null,
    creator {key} not null references account (id),
    reading text not null,
    pair {key} unique,
    created_at {int} not null,
    requested_at {int}
);
create index room_requests on room (creator, requested_at);

create table member (
    room {key} not null references room (id),
    account {key} not null references account (id),
    state text not null,
    from_seq {int} not null,
    read_seq {int} not null,
    joined_at {int} not null,
    primary key (room, account)
);
create index member_account on member (account, state, room);

create table message (
    id {key} primary key,
    room {key} not null references room (id),
    seq {int} not null,
    author {key} not null references account (id),
    at {int} not null,
    body text,
    reply_to {key},
    written_at {int},
    system text,
    only_for {key},
    deleted_at {int},
    unique (room, seq)
);

-- The log: kind and reference. Bodies are rendered from the rows when they are read.
create table log (
    n {serial},
    channel {key} not null,
    seq {int} not null,
    kind text not null,
    ref text not null,
    audience text not null,
    author {key} not null,
    target text not null,
    at {int} not null,
    extra text not null,
    unique (channel, seq)
);

create table nonce (
    account {key} not null,
    nonce {key} not null,
    operation text not null,
    digest text not null,
    result text,
    at {int} not null,
    primary key (account, nonce)
);
create index nonce_at on nonce (at);
