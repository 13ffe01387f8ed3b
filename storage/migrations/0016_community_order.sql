-- The order in which somebody shows their communities: from 1 on; 0 are those that were not put into it, which stand first.

alter table community_member add column place {int} not null default 0;
