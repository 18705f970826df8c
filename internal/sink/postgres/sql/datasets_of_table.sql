SELECT name FROM exporter.datasets WHERE table_schema = $1 AND table_name = $2 ORDER BY name FOR UPDATE
