-- The rows of an older form are gone from the windows of a range: they are as if never read, also to a backfill that goes on. Locks them in order of time, as every write to them does.
WITH gone AS (
    SELECT start_at
    FROM exporter.windows
    WHERE dataset = $1 AND older_form AND end_at > $2 AND start_at < $3
    ORDER BY start_at
    FOR UPDATE
)
UPDATE exporter.windows AS w
SET older_form = false, state = 'due', read_at = NULL, read_to = NULL, next_read_at = w.start_at
FROM gone
WHERE w.dataset = $1 AND w.start_at = gone.start_at
