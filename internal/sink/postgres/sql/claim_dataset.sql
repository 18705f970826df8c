-- As lock_dataset.sql: once it is locked, the config is the one that was prepared last.
SELECT config_hash FROM exporter.datasets WHERE name = $1 FOR UPDATE
