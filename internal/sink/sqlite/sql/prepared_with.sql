SELECT EXISTS (SELECT 1 FROM exporter_datasets WHERE name = :dataset AND config_hash = :config)
