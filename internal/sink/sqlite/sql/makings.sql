SELECT column_name, metric_id, transform
FROM exporter_fields
WHERE dataset = :dataset AND table_name = :table AND transform IS NOT NULL
