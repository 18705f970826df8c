INSERT INTO exporter.contracts (dataset, measured_at, terms)
VALUES ($1, $2, $3)
ON CONFLICT (dataset) DO UPDATE SET measured_at = excluded.measured_at, terms = excluded.terms
