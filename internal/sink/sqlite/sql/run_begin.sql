INSERT INTO exporter_runs (dataset, kind, started_at, range_start, range_end, open_ended, config_hash)
VALUES (:dataset, :kind, :started_at, :range_start, :range_end, :open_ended, (SELECT config_hash FROM exporter_datasets WHERE name = :dataset))
RETURNING id
