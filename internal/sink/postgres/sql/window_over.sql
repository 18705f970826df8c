-- The start of the window that reaches over $2, as one of an older, larger grid may.
SELECT start_at
FROM (SELECT start_at, end_at FROM exporter.windows WHERE dataset = $1 AND start_at < $2 ORDER BY start_at DESC LIMIT 1) AS last
WHERE end_at > $2
