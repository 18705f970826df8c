-- How much longer the first of the leases lasts that windows are under which are due, in the sense of package sink. $2 now,
-- $3 edge. One that has ended counts: it may have done so behind the last claim.
SELECT min(lease_until) - clock_timestamp()
FROM exporter.windows
WHERE dataset = $1
  AND next_read_at <= $2
  AND start_at < $3
  AND lease_until IS NOT NULL
  AND (read_to IS NULL OR read_to >= end_at OR read_to < least(end_at, $3))
