SELECT measured_at, terms::text FROM exporter.contracts WHERE dataset = $1 FOR UPDATE
