DELETE FROM exporter_arrivals WHERE dataset = :dataset AND month < :before
