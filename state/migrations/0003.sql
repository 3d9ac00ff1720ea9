-- Which file an upload is of, by its client's word for it; empty if it has none.
alter table upload add column file text not null default '';
create index upload_file on upload (file) where file <> '';
