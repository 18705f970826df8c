-- Locks the windows in order of time, as every write to them does. One under lease stays with its holder, but
-- what it has begun to read does not count: see commit_readings.sql. Nor does what was read before by a clock that is a
-- little ahead: read_at is how the backfill tells what it has read itself.
WITH marked AS (
    SELECT start_at
    FROM exporter.windows
    WHERE dataset = $1
      AND start_at >= coalesce((SELECT max(start_at) FROM exporter.windows WHERE dataset = $1 AND start_at <= $2), $2)
      AND end_at > $2 AND start_at < $3
    ORDER BY start_at
    FOR UPDATE
)
UPDATE exporter.windows AS w
SET state = CASE WHEN w.lease_until > clock_timestamp() THEN w.state ELSE 'due' END,
    next_read_at = $4,
    attempts = 0,
    read_at = CASE WHEN w.read_at >= $4 THEN $4::timestamptz - interval '1 microsecond' ELSE w.read_at END,
    read_to = CASE WHEN w.read_to >= w.end_at THEN w.read_to END
FROM marked
WHERE w.dataset = $1 AND w.start_at = marked.start_at
