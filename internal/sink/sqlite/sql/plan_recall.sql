-- Makes windows due that a clock which was ahead put off beyond :late: when it entered, marked or failed them. Re-reads
-- are meant to be that late. One under lease is its holder's.
UPDATE exporter_windows
SET next_read_at = :now
WHERE dataset = :dataset AND next_read_at > :late AND state NOT IN ('read', 'final')
  AND (lease_until IS NULL OR lease_until <= strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z')
