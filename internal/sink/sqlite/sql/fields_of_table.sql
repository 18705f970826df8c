SELECT DISTINCT column_name, metric_id, type FROM exporter_fields
WHERE table_name = :table AND metric_id <> ''
ORDER BY column_name
