-- The open leases of the dataset are lost: the epoch is a new one. As after a release, next_read_at is left alone, so that
-- their windows are due at once. It waits for commits that are in flight: what they settle stays settled.
WITH next AS (
    UPDATE exporter.datasets SET epoch = epoch + 1 WHERE name = $1 RETURNING epoch
), open AS (
    SELECT start_at FROM exporter.windows WHERE dataset = $1 AND state = 'running' ORDER BY start_at FOR UPDATE
)
UPDATE exporter.windows AS w
SET state = 'due', lease_owner = NULL, lease_until = NULL, epoch = next.epoch
FROM next, open
WHERE w.dataset = $1 AND w.start_at = open.start_at
