-- Windows of the dataset that end by $2 are over: nothing of them is due. They count as read at $3, so that a backfill does not
-- wait for them. One under lease is its holder's. Locks them in order of time, as every write to them does.
WITH old AS (
    SELECT start_at
    FROM exporter.windows
    WHERE dataset = $1 AND start_at < $2 AND end_at <= $2 AND next_read_at IS NOT NULL
      AND (lease_until IS NULL OR lease_until <= clock_timestamp())
    ORDER BY start_at
    FOR UPDATE
)
UPDATE exporter.windows AS w
SET state = 'final', attempts = 0, error = '', read_at = greatest(w.read_at, $3), read_to = greatest(w.read_to, w.end_at),
    next_read_at = NULL, lease_owner = NULL, lease_until = NULL
FROM old
WHERE w.dataset = $1 AND w.start_at = old.start_at
