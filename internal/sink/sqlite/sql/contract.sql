SELECT measured_at, terms FROM exporter_contracts WHERE dataset = :dataset
