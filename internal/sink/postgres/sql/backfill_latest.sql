-- The latest backfill of the same range, or of the same start where no end was named, unless it was begun with another config.
SELECT id, dataset, kind, started_at, ended_at, range_start, range_end, open_ended, windows, rows_read, written, unchanged, rejected, deleted, outcome,
       fetch_ms, wait_ms, decode_ms, compare_ms, commit_ms
FROM (
    SELECT *
    FROM exporter.runs
    WHERE dataset = $1 AND kind = 'backfill' AND range_start = $2 AND (range_end = $3 OR open_ended AND $4)
    ORDER BY id DESC
    LIMIT 1
) AS latest
WHERE config_hash IS NULL OR config_hash = (SELECT config_hash FROM exporter.datasets WHERE name = $1)
