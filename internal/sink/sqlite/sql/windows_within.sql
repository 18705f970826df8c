SELECT start_at, end_at, state, "rows", reads, attempts, error, read_at, read_to, next_read_at
FROM exporter_windows
WHERE dataset = :dataset AND start_at < :to AND end_at > :from
ORDER BY start_at
