-- The start of the window that reaches over :before, as one of an older, larger grid may.
SELECT start_at
FROM (SELECT start_at, end_at FROM exporter_windows WHERE dataset = :dataset AND start_at < :before ORDER BY start_at DESC LIMIT 1) AS last
WHERE end_at > :before
