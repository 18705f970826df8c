UPDATE exporter_windows
SET state = :state, next_read_at = :next_read_at
WHERE dataset = :dataset AND start_at = :start_at AND next_read_at IS NOT :next_read_at
