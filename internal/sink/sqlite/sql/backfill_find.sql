-- The latest backfill of the same range, or of the same start where no end was named, unless it was begun with another config.
SELECT id, dataset, kind, started_at, ended_at, range_start, range_end, open_ended,
       windows, rows_read, written, unchanged, rejected, deleted, outcome,
       fetch_ms, wait_ms, decode_ms, compare_ms, commit_ms
FROM (
    SELECT *
    FROM exporter_runs
    WHERE dataset = :dataset AND kind = 'backfill' AND range_start = :from
      AND (range_end = :to OR open_ended AND :open_ended)
    ORDER BY id DESC
    LIMIT 1
)
WHERE config_hash IS NULL OR config_hash = (SELECT config_hash FROM exporter_datasets WHERE name = :dataset)
