-- Counts up to :most more windows that are final, from the first that is not counted up to the first that is not final.
-- So the status need not look at them again.
UPDATE exporter_datasets AS d
SET settled_to = counted.end_at, settled_windows = d.settled_windows + counted.windows, settled_rows = d.settled_rows + counted.n
FROM (
    SELECT max(end_at) AS end_at, count(*) AS windows, sum("rows") AS n
    FROM (
        SELECT end_at, "rows"
        FROM exporter_windows
        WHERE dataset = :dataset
          AND start_at >= coalesce((SELECT settled_to FROM exporter_datasets WHERE name = :dataset), '')
          AND start_at < coalesce((SELECT min(start_at) FROM exporter_windows WHERE dataset = :dataset AND next_read_at IS NOT NULL), '9999-12-31T23:59:60')
        ORDER BY start_at
        LIMIT :most
    )
) AS counted
WHERE d.name = :dataset AND counted.windows > 0
