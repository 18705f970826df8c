-- Locks the lease's windows in order of time, as every write to them does. The caller rolls back unless it counts
-- all of them as still of the lease's epoch.
WITH mine AS (
    SELECT start_at
    FROM exporter.windows
    WHERE dataset = $1 AND start_at = ANY ($2) AND epoch = $3
    ORDER BY start_at
    FOR UPDATE
), renewed AS (
    UPDATE exporter.windows AS w
    SET lease_until = clock_timestamp() + $4::interval
    FROM mine
    WHERE w.dataset = $1 AND w.start_at = mine.start_at AND w.state = 'running'
)
SELECT count(*) FROM mine
