-- A backfill that goes on wants what has no good read since :since, when it began. Of that, windows that are read, but are
-- not due now, have lost their mark: they were read by a clock that was behind.
UPDATE exporter_windows
SET state        = 'due',
    next_read_at = :now,
    read_to      = CASE WHEN read_to >= end_at THEN read_to END
WHERE dataset = :dataset AND end_at > :from AND start_at < :to AND read_at < :since
  AND state IN ('read', 'final') AND (next_read_at IS NULL OR next_read_at > :now)
