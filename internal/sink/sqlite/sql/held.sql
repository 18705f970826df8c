-- When the first of the leases ends that windows are under which are due, in the sense of package sink. One that has ended
-- counts: it may have done so behind the last claim.
SELECT min(lease_until)
FROM exporter_windows INDEXED BY exporter_windows_open
WHERE dataset = :dataset AND next_read_at <= :now AND start_at < :edge AND lease_until IS NOT NULL
  AND (read_to IS NULL OR read_to >= end_at OR min(end_at, :edge) > read_to)
