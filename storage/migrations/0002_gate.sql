-- The gate: invites, sign-up, addresses, relations, reports, and the record of what operators did.

alter table account add column role text not null default 'member';
alter table account add column bio text not null default '';
alter table account add column links text not null default '[]';
alter table account add column status text not null default '';
alter table account add column private {int} not null default 0;
alter table account add column presence_to text not null default 'mutuals';
alter table account add column write_from text not null default 'followed';
alter table account add column communities_shown {int} not null default 0;
alter table account add column terms text not null default '';
alter table account add column handle_at {int} not null default 0;
alter table account add column state_at {int} not null default 0;
alter table account add column erase_at {int};
alter table account add column invites_barred {int} not null default 0;
create index account_erase on account (erase_at);

-- Handles are never given out again, also after a change or a deletion.
create table handle (
    handle {key} primary key,
    account {key} not null,
    at {int} not null
);
insert into handle (handle, account, at) select handle, id, created_at from account;

-- One account per address; `address` is the folded form that is compared, `written` how it was typed.
create table address (
    address {key} primary key,
    account {key} not null references account (id),
    written text not null,
    at {int} not null
);
create index address_account on address (account);

create table invite (
    id {key} primary key,
    kind text not null,
    issuer {key} not null references account (id),
    room {key} references room (id),
    token_hash {key} not null unique,
    code_hash {key} not null unique,
    uses_max {int} not null,
    uses {int} not null,
    state text not null,
    created_at {int} not null,
    expires_at {int} not null,
    ended_at {int},
    replaced_by {key}
);
create index invite_issuer on invite (issuer, state);

-- Who came by which invite. Operators see it; nobody else learns of it.
create table invite_use (
    account {key} primary key references account (id),
    invite {key} not null references invite (id),
    at {int} not null
);
create index invite_use_invite on invite_use (invite);

-- Networks a link was looked at from: a keyed hash, kept for minutes, to notice a leaked link.
create table invite_tap (
    invite {key} not null,
    network {key} not null,
    at {int} not null,
    primary key (invite, network)
);

-- A sign-up or a log-in on its way. An open sign-up holds one use of its invite until it ends or expires.
create table attempt (
    id {key} primary key,
    purpose text not null,
    token_hash {key} not null unique,
    invite {key},
    address {key},
    written text,
    account {key},
    terms text,
    code_hash text,
    code_tries {int} not null default 0,
    code_expires_at {int} not null default 0,
    verified_at {int},
    touched_at {int} not null,
    created_at {int} not null,
    expires_at {int} not null
);
create index attempt_invite on attempt (invite, expires_at);
create index attempt_expires on attempt (expires_at);

-- What happened how often per name within a window: mails and tries.
create table tally (
    name {key} not null,
    at {int} not null,
    id {key} not null,
    primary key (name, at, id)
);

-- Mail that waits to leave. A row is deleted when it has left: codes are not kept.
create table letter (
    id {key} primary key,
    address text not null,
    kind text not null,
    facts text not null,
    due_at {int} not null,
    tries {int} not null default 0,
    created_at {int} not null
);
create index letter_due on letter (due_at);

create table block (
    blocker {key} not null references account (id),
    blocked {key} not null references account (id),
    at {int} not null,
    primary key (blocker, blocked)
);
create index block_blocked on block (blocked, blocker);

create table mute (
    muter {key} not null references account (id),
    muted {key} not null references account (id),
    at {int} not null,
    primary key (muter, muted)
);

create table follow_request (
    follower {key} not null references account (id),
    followee {key} not null references account (id),
    at {int} not null,
    primary key (follower, followee)
);
create index follow_request_followee on follow_request (followee);

create table report (
    id {key} primary key,
    reporter {key} references account (id),
    kind text not null,
    target {key} not null,
    reason text not null,
    words text not null,
    evidence text not null,
    state text not null,
    at {int} not null
);
create index report_state on report (state, at);

create table support (
    id {key} primary key,
    account {key} references account (id),
    words text not null,
    request_id text not null,
    state text not null,
    at {int} not null
);

-- Every act of an operator, and every look at a person's data, is a line that stays.
create table audit (
    id {key} primary key,
    actor text not null,
    act text not null,
    target {key} not null,
    detail text not null,
    at {int} not null
);
create index audit_target on audit (target, at);
