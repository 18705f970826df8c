-- How the columns of a table are made: by what the dataset $1 is known to have done, or else others whose rows are there, as those of
-- the same one under an older name.
SELECT f.column_name, f.metric_id, f.transform
FROM exporter.fields AS f
WHERE f.table_schema = $2 AND f.table_name = $3 AND f.transform IS NOT NULL
  AND (f.dataset = $1 OR NOT EXISTS (
      SELECT FROM exporter.fields AS own
      WHERE own.dataset = $1 AND own.table_schema = $2 AND own.table_name = $3 AND own.column_name = f.column_name
  ))
ORDER BY f.dataset
