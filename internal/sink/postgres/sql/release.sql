-- As fail.sql, but the windows are given back in the states $4 that they had. A claim leaves next_read_at alone, so
-- they are due at once.
WITH mine AS (
    SELECT start_at
    FROM exporter.windows
    WHERE dataset = $1 AND start_at = ANY ($2) AND epoch = $3
    ORDER BY start_at
    FOR UPDATE
), released AS (
    UPDATE exporter.windows AS w
    SET state = before.state, lease_owner = NULL, lease_until = NULL
    FROM mine
    JOIN unnest($2::timestamptz[], $4::text[]) AS before (start_at, state) ON before.start_at = mine.start_at
    WHERE w.dataset = $1 AND w.start_at = mine.start_at AND w.state = 'running'
)
SELECT count(*) FROM mine
