-- Makes windows due again that a clock which was ahead left as read after $3: their re-reads would come late, or never.
-- Locks them in order of time, as every write to them does. One under lease is its holder's.
WITH ahead AS (
    SELECT start_at
    FROM exporter.windows
    WHERE dataset = $1 AND (read_at > $3 OR read_to > $3) AND (lease_until IS NULL OR lease_until <= clock_timestamp())
    ORDER BY start_at
    FOR UPDATE
)
UPDATE exporter.windows AS w
SET state = 'due', attempts = 0, error = '', read_at = NULL, read_to = NULL, next_read_at = $2
FROM ahead
WHERE w.dataset = $1 AND w.start_at = ahead.start_at
