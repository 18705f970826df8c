SELECT table_name, reread, config_hash FROM exporter_datasets WHERE name = :dataset
