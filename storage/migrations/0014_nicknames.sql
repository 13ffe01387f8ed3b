-- What people call each other for themselves.

create table nickname (
    account {key} not null,
    about {key} not null,
    name text not null,
    at {int} not null,
    primary key (account, about)
);
create index nickname_about on nickname (about);
