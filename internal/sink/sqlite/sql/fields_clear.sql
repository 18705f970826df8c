DELETE FROM exporter_fields WHERE dataset = :dataset AND column_name NOT IN (SELECT value FROM json_each(:columns))
