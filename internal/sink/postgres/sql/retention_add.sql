INSERT INTO exporter.retentions AS r (dataset, before_at, rows, started_at, ended_at)
VALUES ($1, $2, $3, clock_timestamp(), clock_timestamp())
ON CONFLICT (dataset, before_at) DO UPDATE
SET rows = r.rows + excluded.rows, ended_at = excluded.ended_at
