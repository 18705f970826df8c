-- A commit that is in flight beyond its lease holds its windows: they are passed over.
SELECT start_at, end_at, state, rows, reads, attempts, error, read_at, read_to, next_read_at
FROM exporter.windows
WHERE dataset = $1 AND start_at = ANY ($2)
ORDER BY start_at
FOR UPDATE SKIP LOCKED
