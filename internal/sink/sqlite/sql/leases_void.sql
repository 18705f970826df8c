-- As after a release, next_read_at is left alone, so that the windows are due at once.
UPDATE exporter_windows
SET state = 'due', lease_owner = NULL, lease_until = NULL, epoch = :epoch
WHERE dataset = :dataset AND state = 'running'
