UPDATE exporter.runs SET ended_at = NULL, outcome = '' WHERE id = $1
