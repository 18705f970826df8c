-- The rows of windows that were read cannot be compared with new ones: to read them again would add them once more. So
-- nothing of these windows is due. Of one that is partly read the rest becomes a window of its own, once it is planned. One
-- that never held still has rows, though it was not read to any time.
WITH outgrown AS (
    SELECT start_at
    FROM exporter.windows
    WHERE dataset = $1 AND (read_to > start_at OR state = 'unstable') AND NOT older_form
    ORDER BY start_at
    FOR UPDATE
)
UPDATE exporter.windows AS w
SET end_at = least(w.end_at, w.read_to), older_form = true, state = 'final', attempts = 0, error = '', next_read_at = NULL
FROM outgrown
WHERE w.dataset = $1 AND w.start_at = outgrown.start_at
