-- A backfill has given all windows of its range a next_read_at, which they have until they are read for the last time.
SELECT b.dataset, b.range_start, b.range_end, b.started_at, (
           SELECT count(*)
           FROM exporter_windows INDEXED BY exporter_windows_open
           WHERE dataset = b.dataset AND next_read_at IS NOT NULL AND start_at < min(b.range_end, :now) AND end_at > b.range_start
             AND (read_at IS NULL OR read_at < b.started_at)
       ) AS unread
FROM exporter_runs AS b
WHERE b.id IN (SELECT max(id) FROM exporter_runs WHERE kind = 'backfill' GROUP BY dataset, range_start, range_end)
  AND b.outcome <> 'done' AND unread > 0
ORDER BY b.dataset, b.range_start, b.range_end
