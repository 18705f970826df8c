-- The rows of an older form are gone from the windows of a range. Locks them in order of time, as every write to them does.
WITH gone AS (
    SELECT start_at
    FROM exporter.windows
    WHERE dataset = $1 AND older_form AND end_at > $2 AND start_at < $3
    ORDER BY start_at
    FOR UPDATE
)
UPDATE exporter.windows AS w
SET older_form = false
FROM gone
WHERE w.dataset = $1 AND w.start_at = gone.start_at
