-- A backfill that goes on wants what has no good read since $4, when it began. Of that, windows that are read, but are not
-- due now, have lost their mark: they were read by a clock that was behind. Locks them in order of time, as every write
-- to them does.
WITH lost AS (
    SELECT start_at
    FROM exporter.windows
    WHERE dataset = $1 AND end_at > $2 AND start_at < $3 AND read_at < $4
      AND state IN ('read', 'final') AND (next_read_at IS NULL OR next_read_at > $5)
    ORDER BY start_at
    FOR UPDATE
)
UPDATE exporter.windows AS w
SET state = 'due', next_read_at = $5, read_to = CASE WHEN w.read_to >= w.end_at THEN w.read_to END
FROM lost
WHERE w.dataset = $1 AND w.start_at = lost.start_at
