DELETE FROM exporter_rejects WHERE dataset = :dataset AND window_end <= :before
