-- What every commit begins with: it locks the windows in order of time, and counts those that are still of the lease's
-- epoch. A claim of a window that is locked passes it over, so these cannot be lost any more.
SELECT count(*)
FROM (
    SELECT start_at
    FROM exporter.windows
    WHERE dataset = $1 AND start_at = ANY ($2) AND epoch = $3
    ORDER BY start_at
    FOR UPDATE
) AS mine
