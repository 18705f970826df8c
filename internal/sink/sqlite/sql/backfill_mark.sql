-- What was read before by a clock that is a little ahead does not count: read_at is how the backfill tells what it has
-- read itself.
UPDATE exporter_windows
SET state        = CASE state WHEN 'running' THEN 'running' ELSE 'due' END,
    attempts     = 0,
    read_at      = CASE WHEN read_at >= :now THEN :before ELSE read_at END,
    read_to      = CASE WHEN read_to >= end_at THEN read_to END,
    next_read_at = :now
WHERE dataset = :dataset
  AND start_at >= coalesce((SELECT max(start_at) FROM exporter_windows WHERE dataset = :dataset AND start_at <= :from), :from)
  AND end_at > :from AND start_at < :to
