-- When the windows that were read to their ends are to be read next, by the delays of the dataset: at the first that
-- had not passed when they were last read.
WITH settled AS (
    SELECT start_at,
           (SELECT min(end_at + delay)
            FROM unnest((SELECT reread FROM exporter.datasets WHERE name = $1)) AS delay
            WHERE end_at + delay > read_at) AS next_read_at
    FROM exporter.windows
    WHERE dataset = $1 AND state IN ('read', 'final') AND read_to >= end_at AND NOT older_form
    ORDER BY start_at
    FOR UPDATE
)
UPDATE exporter.windows AS w
SET next_read_at = settled.next_read_at,
    state = CASE WHEN settled.next_read_at IS NULL THEN 'final' ELSE 'read' END
FROM settled
WHERE w.dataset = $1 AND w.start_at = settled.start_at AND w.next_read_at IS DISTINCT FROM settled.next_read_at
