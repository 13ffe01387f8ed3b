-- How far people have read whom they follow: a time, so that nothing says which posts somebody saw.

create table reading (
    account {key} primary key references account (id),
    follow_at {int} not null
);
