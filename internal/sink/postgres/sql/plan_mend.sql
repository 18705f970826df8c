-- Makes windows due again that a clock which was ahead left as read after $3: their re-reads would come late, or never.
-- Locks them in order of time, as every write to them does. One under lease is its holder's. Read to later than $3 is only
-- a window that ends after it, or one that was read beyond its end.
WITH suspect AS (
    SELECT start_at FROM exporter.windows WHERE dataset = $1 AND read_at > $3
    UNION
    SELECT start_at FROM exporter.windows WHERE dataset = $1 AND read_to > end_at AND read_to > $3
    UNION
    SELECT start_at
    FROM exporter.windows
    WHERE dataset = $1
      AND start_at >= coalesce((SELECT max(start_at) FROM exporter.windows WHERE dataset = $1 AND start_at <= $3), $3)
      AND read_to > $3
), ahead AS (
    SELECT start_at
    FROM exporter.windows
    WHERE dataset = $1 AND start_at IN (SELECT start_at FROM suspect) AND NOT older_form AND (lease_until IS NULL OR lease_until <= clock_timestamp())
    ORDER BY start_at
    FOR UPDATE
)
UPDATE exporter.windows AS w
SET state = 'due', attempts = 0, error = '', read_at = NULL, read_to = NULL, next_read_at = $2
FROM ahead
WHERE w.dataset = $1 AND w.start_at = ahead.start_at
