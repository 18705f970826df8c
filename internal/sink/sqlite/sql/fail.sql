UPDATE exporter_windows
SET state        = 'failed',
    attempts     = attempts + 1,
    error        = :error,
    next_read_at = max(next_read_at, :next_read_at), -- a backfill's mark must not move back: it would wait for the window for ever
    lease_owner  = NULL,
    lease_until  = NULL
WHERE dataset = :dataset AND start_at >= :first AND start_at <= :last AND epoch = :epoch AND state = 'running'
