SELECT column_name FROM exporter.fields WHERE dataset = $1 AND NOT promoted ORDER BY position
