DELETE FROM exporter_fields WHERE dataset = :dataset
