INSERT INTO exporter.runs (dataset, kind, started_at, range_start, range_end, open_ended)
VALUES ($1, $2, $3, $4, $5, $6)
RETURNING id
