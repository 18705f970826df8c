-- Makes windows due again that a clock which was ahead left as read after :ahead: their re-reads would come late, or
-- never. One under lease is its holder's.
UPDATE exporter_windows
SET state        = 'due',
    attempts     = 0,
    error        = '',
    read_at      = NULL,
    read_to      = NULL,
    next_read_at = :now
WHERE dataset = :dataset AND (read_at > :ahead OR read_to > :ahead)
  AND (lease_until IS NULL OR lease_until <= strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z')
