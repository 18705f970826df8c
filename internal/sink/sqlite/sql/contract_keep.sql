INSERT INTO exporter_contracts (dataset, measured_at, terms)
VALUES (:dataset, :measured_at, :terms)
ON CONFLICT (dataset) DO UPDATE SET measured_at = excluded.measured_at, terms = excluded.terms
