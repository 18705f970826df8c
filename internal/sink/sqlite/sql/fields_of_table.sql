-- What the dictionary has of a table's columns, but for those that a person has dropped or renamed.
SELECT DISTINCT column_name, metric_id, type FROM exporter_fields
WHERE table_name = :table AND metric_id <> '' AND column_name IN (SELECT name FROM pragma_table_info(:table))
ORDER BY column_name
