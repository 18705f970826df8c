-- As lock_dataset.sql, by a run.
SELECT name FROM exporter.datasets WHERE name = (SELECT dataset FROM exporter.runs WHERE id = $1) FOR UPDATE
