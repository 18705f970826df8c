SELECT start_at, end_at, read_at
FROM exporter_windows
WHERE dataset = :dataset AND state IN ('read', 'final') AND read_to >= end_at AND NOT older_form
