-- Presence: when people were last here, and to whom they show it besides what their setting says.

-- `seen_at` in Unix milliseconds, kept only while the account shows its presence to somebody; `shown_to` is the audience it had
-- before it hid from everybody: who could know when it was last here still can, as of any account that is offline.
create table presence (
    account {key} primary key,
    seen_at {int},
    shown_to {key} not null default 'mutuals'
);

-- `shown` 1: whatever the setting says; 0: hidden from this one. `at` is when that began.
create table presence_exception (
    owner {key} not null,
    other {key} not null,
    shown {int} not null,
    at {int} not null,
    primary key (owner, other)
);
create index presence_exception_other on presence_exception (other);
