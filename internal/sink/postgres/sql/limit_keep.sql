INSERT INTO exporter.limits (dataset, kind, works, refused, met, until)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (dataset, kind) DO UPDATE
SET works = excluded.works, refused = excluded.refused, met = excluded.met, until = excluded.until
