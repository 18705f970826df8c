DELETE FROM exporter.retentions
WHERE dataset = $1 AND ended_at < $2 AND before_at < (SELECT max(before_at) FROM exporter.retentions WHERE dataset = $1)
