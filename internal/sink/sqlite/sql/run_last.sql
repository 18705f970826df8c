UPDATE exporter_datasets
SET through     = (SELECT t.through FROM exporter_through AS t WHERE t.dataset = :dataset),
    last_run    = :run,
    last_run_at = :ended_at
WHERE name = :dataset
