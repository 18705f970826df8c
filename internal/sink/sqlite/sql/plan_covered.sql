-- Windows do not overlap, so that the last one that starts at or before :from is the first that can reach into it.
SELECT start_at, end_at
FROM exporter_windows
WHERE dataset = :dataset
  AND start_at >= coalesce((SELECT max(start_at) FROM exporter_windows WHERE dataset = :dataset AND start_at <= :from), :from)
  AND end_at > :from AND start_at < :to
ORDER BY start_at
