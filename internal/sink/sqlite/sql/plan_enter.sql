INSERT INTO exporter_windows (dataset, start_at, end_at, state, next_read_at)
VALUES (:dataset, :start_at, :end_at, 'due', :now)
