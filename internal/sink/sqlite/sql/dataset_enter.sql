INSERT INTO exporter_datasets (name, kind, table_name, config_hash, reread)
VALUES (:dataset, :kind, :table_name, :config_hash, :reread)
ON CONFLICT (name) DO UPDATE
SET kind = excluded.kind, table_name = excluded.table_name, config_hash = excluded.config_hash, reread = excluded.reread
