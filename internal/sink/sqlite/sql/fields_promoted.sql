UPDATE exporter_fields
SET promoted = 1
WHERE dataset = :dataset AND column_name IN (SELECT value FROM json_each(:columns))
