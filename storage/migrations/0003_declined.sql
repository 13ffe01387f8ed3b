-- A request to follow that was declined looks to whoever asked like one that waits.

alter table follow_request add column declined {int} not null default 0;
