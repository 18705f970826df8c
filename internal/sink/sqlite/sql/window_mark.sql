-- As backfill_mark.sql, of the window that holds an instant, unless it may not be read again.
UPDATE exporter_windows
SET state        = CASE state WHEN 'running' THEN 'running' ELSE 'due' END,
    attempts     = 0,
    read_at      = CASE WHEN read_at >= :now THEN :before ELSE read_at END,
    read_to      = CASE WHEN read_to >= end_at THEN read_to END,
    next_read_at = :now
WHERE dataset = :dataset AND NOT older_form
  AND start_at = (SELECT max(start_at) FROM exporter_windows WHERE dataset = :dataset AND start_at <= :at)
  AND end_at > :at
