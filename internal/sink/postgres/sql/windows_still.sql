-- Waits for the commits of the dataset that are in flight, and holds back those to come: each locks its windows first.
-- (The dataset is locked, so that no window is claimed meanwhile.)
SELECT count(*)
FROM (
    SELECT start_at
    FROM exporter.windows
    WHERE dataset = $1 AND state = 'running'
    ORDER BY start_at
    FOR UPDATE
) AS running
