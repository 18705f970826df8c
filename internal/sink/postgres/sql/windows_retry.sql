-- Windows that failed by an older config are due at once. Locks them in order of time, as every write to them does.
WITH resting AS (
    SELECT start_at
    FROM exporter.windows
    WHERE dataset = $1 AND attempts > 0 AND state IN ('failed', 'unstable') AND next_read_at > start_at
    ORDER BY start_at
    FOR UPDATE
)
UPDATE exporter.windows AS w
SET next_read_at = w.start_at
FROM resting
WHERE w.dataset = $1 AND w.start_at = resting.start_at
