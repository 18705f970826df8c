SELECT start_at, end_at
FROM exporter_windows
WHERE dataset = :dataset AND end_at > :from AND start_at < :to
ORDER BY start_at
