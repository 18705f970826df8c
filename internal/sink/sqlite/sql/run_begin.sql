INSERT INTO exporter_runs (dataset, kind, started_at, range_start, range_end, open_ended)
VALUES (:dataset, :kind, :started_at, :range_start, :range_end, :open_ended)
RETURNING id
