SELECT table_name, reread FROM exporter_datasets WHERE name = :dataset
