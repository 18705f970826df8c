-- What the dictionary has of a table's columns, but for those that a person has dropped or renamed.
SELECT DISTINCT f.column_name, f.metric_id, f.type
FROM exporter.fields AS f
WHERE f.table_schema = $1 AND f.table_name = $2 AND f.metric_id <> ''
  AND EXISTS (
      SELECT FROM pg_attribute
      WHERE attrelid = to_regclass(format('%I.%I', f.table_schema, f.table_name)) AND attname = f.column_name AND NOT attisdropped
  )
ORDER BY f.column_name
