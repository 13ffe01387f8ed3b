-- Stamps under lines of rooms: at most one of an account under a line; `only_for` limits who sees it, as with lines.

create table message_reaction (
    message {key} not null references message (id),
    account {key} not null references account (id),
    what text not null,
    only_for {key},
    at {int} not null,
    primary key (message, account)
);
create index message_reaction_account on message_reaction (account);
