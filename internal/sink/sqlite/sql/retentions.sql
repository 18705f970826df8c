SELECT dataset, before_at, "rows", ended_at
FROM exporter_retentions AS r
WHERE before_at = (SELECT max(before_at) FROM exporter_retentions WHERE dataset = r.dataset)
