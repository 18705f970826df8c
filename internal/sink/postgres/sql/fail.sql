-- The lease's windows that are still running have failed: $4 is why, $5 when they are to be read next. A backfill's mark must
-- not move back: one whose clock is ahead would wait for its windows for ever. Locks the
-- windows in order of time, as every write to them does that waits; the caller rolls back unless it counts all of
-- them as still of the lease's epoch.
WITH mine AS (
    SELECT start_at
    FROM exporter.windows
    WHERE dataset = $1 AND start_at = ANY ($2) AND epoch = $3
    ORDER BY start_at
    FOR UPDATE
), failed AS (
    UPDATE exporter.windows AS w
    SET state = 'failed', attempts = w.attempts + 1, error = $4, next_read_at = greatest(w.next_read_at, $5), lease_owner = NULL, lease_until = NULL
    FROM mine
    WHERE w.dataset = $1 AND w.start_at = mine.start_at AND w.state = 'running'
)
SELECT count(*) FROM mine
