UPDATE exporter_windows
SET state = :state, lease_owner = NULL, lease_until = NULL
WHERE dataset = :dataset AND start_at = :start_at AND epoch = :epoch AND state = 'running'
