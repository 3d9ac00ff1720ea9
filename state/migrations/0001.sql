-- Times are Unix nanoseconds, 0 for none. Bytes are bytes. A CRC-64 is kept as
-- the signed integer of the same 64 bits.

create table upload (
	key         integer primary key,
	id          text    not null unique,
	owner       text    not null,
	protocol    text    not null,
	fingerprint text    not null,
	meta        text    not null, -- JSON
	sources     text    not null, -- ids, parted by spaces
	phase       integer not null, -- 1 receiving 2 joining 3 accepting 4 held 5 done 6 gone
	version     integer not null,
	flags       integer not null, -- 1 partial 2 cleared 4 hidden 8 overwrite 16 joined
	began       integer not null,
	touched     integer not null,
	due         integer not null,
	reached     integer not null, -- the bytes before it are here
	here        integer not null, -- bytes
	solid       integer not null, -- bytes in parts that are not crumbs
	path        text    not null, -- the store's key
	type        text    not null,
	size        integer not null, -- -1 while unknown
	cell        integer not null,
	widen       integer not null,
	epoch       integer not null,
	token       text    not null,
	final_size  integer not null,
	final_crc   integer not null,
	final_path  text    not null
);

create index upload_owner on upload (owner);
create index upload_open on upload (owner) where phase < 5;
create index upload_due on upload (due) where due <> 0;
create index upload_fingerprint on upload (fingerprint) where fingerprint <> '';
create unique index upload_claim on upload (fingerprint) where fingerprint <> '' and phase < 5;

-- By which uploads are made of one.
create table source (
	id     text    not null, -- of the source
	upload integer not null,
	primary key (id, upload)
) without rowid;

-- The order of the primary key is the order on disk.
create table part (
	upload  integer not null,
	start   integer not null,
	stop    integer not null,
	crc     integer not null,
	receipt text    not null,
	crumb   integer not null, -- 0 or 1
	primary key (upload, start)
) without rowid;

-- The outbox.
create table event (
	key      integer primary key, -- the order in which they were written
	id       text    not null unique,
	upload   text    not null,    -- the upload's id
	kind     text    not null,
	at       integer not null,
	attempts integer not null,
	due      integer not null     -- not to be tried before
);

create index event_upload on event (upload, key);
