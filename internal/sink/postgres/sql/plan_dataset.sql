-- As lock_dataset.sql, with the stretch that is known to have no gap.
SELECT planned_from, planned_to FROM exporter.datasets WHERE name = $1 FOR UPDATE
