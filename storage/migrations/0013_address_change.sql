-- Addresses that were changed. `until` is null for the one in use; one before it leads to the account until then, to undo the change.

alter table address add column until {int};
create index attempt_account on attempt (account);
