SELECT column_name FROM exporter_fields WHERE dataset = :dataset AND NOT promoted ORDER BY position
