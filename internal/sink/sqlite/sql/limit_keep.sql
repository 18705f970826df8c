INSERT INTO exporter_limits (dataset, kind, works, refused, met, until)
VALUES (:dataset, :kind, :works, :refused, :met, :until)
ON CONFLICT (dataset, kind) DO UPDATE
SET works = excluded.works, refused = excluded.refused, met = excluded.met, until = excluded.until
