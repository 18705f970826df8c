SELECT DISTINCT column_name, metric_id, type FROM exporter.fields
WHERE table_schema = $1 AND table_name = $2 AND metric_id <> ''
ORDER BY column_name
