-- Codes that let somebody in who cannot read their mail any more; each works once. Only hashes are kept.

create table recovery_code (
    account {key} not null,
    hash text not null,
    made_at {int} not null,
    primary key (account, hash)
);
