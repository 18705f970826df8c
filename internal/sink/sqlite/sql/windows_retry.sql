-- Windows that failed by an older config are due at once.
UPDATE exporter_windows
SET next_read_at = start_at
WHERE dataset = :dataset AND attempts > 0 AND state IN ('failed', 'unstable') AND next_read_at > start_at
