SELECT id, dataset, kind, started_at, ended_at, range_start, range_end, open_ended, windows, rows_read, written, unchanged, rejected, deleted, outcome,
       fetch_ms, wait_ms, decode_ms, compare_ms, commit_ms
FROM exporter.runs
WHERE id = ANY ($1)
