INSERT INTO exporter.runs (dataset, kind, started_at, range_start, range_end, open_ended, config_hash)
VALUES ($1, $2, $3, $4, $5, $6, (SELECT config_hash FROM exporter.datasets WHERE name = $1))
RETURNING id
