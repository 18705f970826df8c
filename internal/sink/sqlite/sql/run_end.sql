UPDATE exporter_runs SET ended_at = :ended_at, outcome = :outcome WHERE id = :run
