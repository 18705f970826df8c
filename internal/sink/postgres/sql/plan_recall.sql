-- Makes windows due that a clock which was ahead put off beyond $3: when it entered, marked or failed them. Re-reads are
-- meant to be that late. Locks them in order of time, as every write to them does. One under lease is its holder's.
WITH late AS (
    SELECT start_at
    FROM exporter.windows
    WHERE dataset = $1 AND next_read_at > $3 AND state NOT IN ('read', 'final')
      AND (lease_until IS NULL OR lease_until <= clock_timestamp())
    ORDER BY start_at
    FOR UPDATE
)
UPDATE exporter.windows AS w
SET next_read_at = $2
FROM late
WHERE w.dataset = $1 AND w.start_at = late.start_at
