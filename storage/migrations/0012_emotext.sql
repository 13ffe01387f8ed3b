-- Emotext: the ids of a text's effects, a JSON list, null where it stands still; texts that are looked at before they are sent.

alter table post add column emotext text;
alter table message add column emotext text;

-- Forgotten at `due`.
create table emotext_preview (
    id {key} primary key,
    account {key} not null references account (id),
    at {int} not null,
    due {int} not null,
    body text not null,
    emotext text not null
);
create index emotext_preview_account on emotext_preview (account, id);
create index emotext_preview_due on emotext_preview (due);
