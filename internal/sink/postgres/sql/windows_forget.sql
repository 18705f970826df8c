-- All windows of the dataset as if never read. Their leases are lost: the epoch is a new one.
WITH next AS (
    UPDATE exporter.datasets SET epoch = epoch + 1, through = NULL WHERE name = $1 RETURNING epoch
), forgotten AS (
    SELECT start_at FROM exporter.windows WHERE dataset = $1 ORDER BY start_at FOR UPDATE
)
UPDATE exporter.windows AS w
SET state = 'due', rows = 0, reads = 0, attempts = 0, error = '', read_at = NULL, read_to = NULL,
    next_read_at = w.start_at, older_form = false, lease_owner = NULL, lease_until = NULL, epoch = next.epoch
FROM next, forgotten
WHERE w.dataset = $1 AND w.start_at = forgotten.start_at
