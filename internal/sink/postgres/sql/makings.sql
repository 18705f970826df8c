SELECT column_name, metric_id, transform
FROM exporter.fields
WHERE dataset = $1 AND table_schema = $2 AND table_name = $3 AND transform IS NOT NULL
