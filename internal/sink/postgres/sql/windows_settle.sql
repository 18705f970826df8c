-- Counts up to $2 more windows that are final, from the first that is not counted up to the first that is not final. So
-- the status need not look at them again. Behind lock_dataset.sql or its like: who opens a window again waits.
UPDATE exporter.datasets AS d
SET settled_to = counted.end_at, settled_windows = d.settled_windows + counted.windows, settled_rows = d.settled_rows + counted.rows
FROM (
    SELECT max(end_at) AS end_at, count(*) AS windows, sum(rows)::bigint AS rows
    FROM (
        SELECT start_at, end_at, rows
        FROM exporter.windows
        WHERE dataset = $1
          AND start_at >= coalesce((SELECT settled_to FROM exporter.datasets WHERE name = $1), '-infinity')
          AND start_at < coalesce((SELECT min(start_at) FROM exporter.windows WHERE dataset = $1 AND next_read_at IS NOT NULL), 'infinity')
        ORDER BY start_at
        LIMIT $2
    ) AS next
) AS counted
WHERE d.name = $1 AND counted.windows > 0
