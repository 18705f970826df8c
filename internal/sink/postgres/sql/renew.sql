-- Counts the lease's windows that are still of its epoch: the caller rolls back unless all are. It waits for
-- nobody: windows that a commit holds are passed over, since nobody else can claim them meanwhile.
WITH free AS (
    SELECT start_at
    FROM exporter.windows
    WHERE dataset = $1 AND start_at = ANY ($2) AND epoch = $3 AND state = 'running'
    ORDER BY start_at
    FOR UPDATE SKIP LOCKED
), renewed AS (
    UPDATE exporter.windows AS w
    SET lease_until = clock_timestamp() + $4::interval
    FROM free
    WHERE w.dataset = $1 AND w.start_at = free.start_at
)
SELECT count(*)
FROM exporter.windows
WHERE dataset = $1 AND start_at = ANY ($2) AND epoch = $3
