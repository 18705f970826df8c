SELECT DISTINCT ON (dataset) dataset, before_at, rows, ended_at
FROM exporter.retentions
ORDER BY dataset, before_at DESC
