package state

// The statements. They are written so that SQLite and PostgreSQL both take
// them: integers and text only, $1 placeholders, no functions of either alone.
// The first statement of a transaction that changes a record locks its row.
const (
	columns = `key, id, owner, protocol, fingerprint, meta, sources, phase, version, flags,
		began, touched, due, reached, here, path, type, size, cell, widen, epoch, token,
		final_size, final_crc, final_path, endpoint, file`

	insertUpload = `insert into upload (id, owner, protocol, fingerprint, meta, sources, phase, version, flags,
		began, touched, due, path, type, size, cell, widen, epoch, token,
		final_size, final_crc, final_path, endpoint, file, reached, here, solid)
		values ($1, $2, $3, $4, $5, $6, $7, 1, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, 0, 0, 0)
		on conflict do nothing returning key`

	// The sums are cut in two, so that no sum of sizes overflows. The upload $3
	// itself is not counted.
	selectHeld = `select count(case when phase < 5 then 1 end),
		cast(coalesce(sum((case when phase >= 5 then 0 when size < 0 then here else size end) / 4294967296), 0) as bigint),
		cast(coalesce(sum((case when phase >= 5 then 0 when size < 0 then here else size end) % 4294967296), 0) as bigint),
		cast(coalesce(sum((case when size < 0 then here else size end) / 4294967296), 0) as bigint),
		cast(coalesce(sum((case when size < 0 then here else size end) % 4294967296), 0) as bigint)
		from upload where endpoint = $1 and owner = $2 and id <> $3 and phase < `
	selectOpen  = selectHeld + `5`
	selectTotal = selectHeld + `6`

	selectUpload = `select ` + columns + ` from upload where id = $1`

	selectExists = `select phase from upload where id = $1`

	touchUpload = `update upload set touched = case when touched < $3 then $3 else touched end
		where id = $1 and epoch = $2 and phase = 1
		returning key, size, reached, here, solid`

	// A full upload is due at once.
	updateProgress = `update upload set reached = $2, here = $3, solid = $4,
		due = case when $5 <> 0 then $5 else due end,
		version = version + case when $5 <> 0 or size < 0 then 1 else 0 end where key = $1`

	selectVersion = `select key, sources from upload where id = $1 and version = $2`

	saveUpload = `update upload set owner = $3, protocol = $4, fingerprint = $5, meta = $6, sources = $7,
		phase = $8, version = version + 1, flags = $9, began = $10, due = $11, path = $12, type = $13,
		size = $14, cell = $15, widen = $16, epoch = $17, token = $18,
		final_size = $19, final_crc = $20, final_path = $21, endpoint = $22, file = $23
		where key = $1 and version = $2`

	selectClaim = `select id from upload
		where fingerprint = $1 and fingerprint <> '' and phase < $3 and id <> $2`

	selectPurge = `select key, phase, sources, (select count(*) from event where event.upload = $1)
		from upload where id = $1`
	deleteUpload = `delete from upload where key = $1`

	insertSource = `insert into source (id, upload) values ($1, $2) on conflict do nothing`
	deleteSource = `delete from source where id = $1 and upload = $2`

	// Parts are disjoint, so that of those that begin before $2 only the last
	// one can reach it.
	selectNear = `select start, stop, crc, receipt, crumb from part where upload = $1
		and start >= coalesce((select max(start) from part where upload = $1 and start < $2), 0)
		and start <= $3 and stop >= $2 order by start`

	selectFrom = `select start, stop from part where upload = $1 and start >= $2 order by start`

	upsertPart = `insert into part (upload, start, stop, crc, receipt, crumb) values ($1, $2, $3, $4, $5, $6)
		on conflict (upload, start) do update set stop = excluded.stop, crc = excluded.crc,
		receipt = excluded.receipt, crumb = excluded.crumb`

	deleteParts = `delete from part where upload = $1 and start > $2 and start < $3`
	deleteAll   = `delete from part where upload = $1`

	eventColumns = `key, id, upload, endpoint, kind, at, attempts, due, dead, error`

	insertEvent = `insert into event (id, upload, endpoint, kind, at, attempts, due, dead, error)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`

	selectPending = `select ` + eventColumns + ` from event e
		where key > $1 and due <= $2 and dead = 0 and endpoint = $3
		and not exists (select 1 from event o where o.upload = e.upload and o.key < e.key and o.dead = 0)
		order by key limit $4 + 0`

	selectEvents = `select ` + eventColumns + ` from event where key > $1 order by key limit $2 + 0`
	selectEvent  = `select ` + eventColumns + ` from event where key > $1 and id = $3 order by key limit $2 + 0`

	deleteEvent = `delete from event where id = $1`
	deferEvent  = `update event set attempts = $2, due = $3, dead = $4, error = $5 where id = $1`
)
