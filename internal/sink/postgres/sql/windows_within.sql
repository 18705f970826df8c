SELECT start_at, end_at, state, rows, reads, attempts, error, read_at, read_to, next_read_at
FROM exporter.windows
WHERE dataset = $1 AND start_at < $3 AND end_at > $2
ORDER BY start_at
