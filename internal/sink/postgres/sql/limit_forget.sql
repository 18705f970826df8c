DELETE FROM exporter.limits WHERE dataset = $1 AND kind = $2
