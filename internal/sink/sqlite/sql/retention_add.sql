INSERT INTO exporter_retentions (dataset, before_at, "rows", started_at, ended_at)
VALUES (:dataset, :before, :rows, :now, :now)
ON CONFLICT (dataset, before_at) DO UPDATE
SET "rows" = "rows" + excluded."rows", ended_at = excluded.ended_at
