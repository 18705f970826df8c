-- Windows of the dataset that end by :before are over: nothing of them is due. They count as read at :now, so that a backfill
-- does not wait for them. One under lease is its holder's.
UPDATE exporter_windows
SET state        = 'final',
    attempts     = 0,
    error        = '',
    read_at      = max(coalesce(read_at, :now), :now),
    read_to      = max(coalesce(read_to, end_at), end_at),
    next_read_at = NULL,
    lease_owner  = NULL,
    lease_until  = NULL
WHERE dataset = :dataset AND start_at < :before AND end_at <= :before AND next_read_at IS NOT NULL
  AND (lease_until IS NULL OR lease_until <= strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z')
