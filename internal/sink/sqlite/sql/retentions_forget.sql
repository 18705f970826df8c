DELETE FROM exporter_retentions
WHERE dataset = :dataset AND ended_at < :before AND before_at < (SELECT max(before_at) FROM exporter_retentions WHERE dataset = :dataset)
