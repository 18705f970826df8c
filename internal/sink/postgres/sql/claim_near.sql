-- Windows within [$2, $3) that have been read to their ends.
SELECT start_at, end_at, state, rows, reads, attempts, error, read_at, read_to, next_read_at
FROM exporter.windows
WHERE dataset = $1
  AND start_at >= $2
  AND start_at < $3
  AND end_at <= $3
  AND read_to >= end_at
ORDER BY start_at
