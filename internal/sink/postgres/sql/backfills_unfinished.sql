-- $1 now. A backfill has given all windows of its range a next_read_at, which they have until they are read for the last time.
SELECT b.dataset, b.range_start, b.range_end, b.started_at, unread.n
FROM (
    SELECT DISTINCT ON (dataset, range_start, range_end) *
    FROM exporter.runs
    WHERE kind = 'backfill'
    ORDER BY dataset, range_start, range_end, id DESC
) AS b
CROSS JOIN LATERAL (
    SELECT count(*) AS n
    FROM exporter.windows
    WHERE dataset = b.dataset AND next_read_at IS NOT NULL AND start_at < least(b.range_end, $1) AND end_at > b.range_start
      AND (read_at IS NULL OR read_at < b.started_at)
) AS unread
WHERE b.outcome <> 'done' AND unread.n > 0
ORDER BY b.dataset COLLATE "C", b.range_start, b.range_end
