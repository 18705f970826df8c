UPDATE exporter_runs SET ended_at = NULL, outcome = '' WHERE id = :run
