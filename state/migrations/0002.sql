-- The target to which an upload came; empty for the one that there always is.
alter table upload add column endpoint text not null default '';

-- A whole file, in quarantine or not, is in nobody's way.
drop index upload_claim;
create unique index upload_claim on upload (fingerprint) where fingerprint <> '' and phase < 4;

drop index upload_owner;
drop index upload_open;
create index upload_owner on upload (endpoint, owner);
create index upload_open on upload (endpoint, owner) where phase < 5;

alter table event add column endpoint text not null default '';

-- An event that was tried for long enough is dead: nobody tries it again, and
-- the upload's later ones pass it, until somebody has it replayed.
alter table event add column dead integer not null default 0; -- since when
alter table event add column error text not null default '';  -- what was wrong the last time
