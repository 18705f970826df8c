SELECT EXISTS (SELECT 1 FROM exporter.datasets WHERE name = $1 AND config_hash = $2)
