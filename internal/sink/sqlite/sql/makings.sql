-- How the columns of a table are made: by what the dataset is known to have done, or else others whose rows are there, as those of the
-- same one under an older name.
SELECT f.column_name, f.metric_id, f.transform
FROM exporter_fields AS f
WHERE f.table_name = :table AND f.transform IS NOT NULL
  AND (f.dataset = :dataset OR NOT EXISTS (
      SELECT 1 FROM exporter_fields AS own
      WHERE own.dataset = :dataset AND own.table_name = :table AND own.column_name = f.column_name
  ))
ORDER BY f.dataset
