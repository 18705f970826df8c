DELETE FROM exporter_limits WHERE dataset = :dataset AND kind = :kind
