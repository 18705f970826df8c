UPDATE exporter.datasets SET planned_from = $2, planned_to = $3 WHERE name = $1
