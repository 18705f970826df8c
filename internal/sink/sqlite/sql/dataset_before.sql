SELECT table_name, reread, config_hash, form FROM exporter_datasets WHERE name = :dataset
