SELECT id, dataset, kind, started_at, ended_at, range_start, range_end, open_ended, windows, rows_read, written, unchanged, rejected, deleted, outcome
FROM exporter.runs
WHERE id = ANY ($1)
