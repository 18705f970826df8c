-- Makes windows due again that a clock which was ahead left as read after :ahead: their re-reads would come late, or
-- never. One under lease is its holder's. Read to later than :ahead is only a window that ends after it, or one that was
-- read beyond its end.
UPDATE exporter_windows
SET state        = 'due',
    attempts     = 0,
    error        = '',
    read_at      = NULL,
    read_to      = NULL,
    next_read_at = :now
WHERE dataset = :dataset AND NOT older_form
  AND start_at IN (
      SELECT start_at FROM exporter_windows WHERE dataset = :dataset AND read_at > :ahead
      UNION
      SELECT start_at FROM exporter_windows INDEXED BY exporter_windows_beyond WHERE dataset = :dataset AND read_to > end_at AND read_to > :ahead
      UNION
      SELECT start_at
      FROM exporter_windows
      WHERE dataset = :dataset
        AND start_at >= coalesce((SELECT max(start_at) FROM exporter_windows WHERE dataset = :dataset AND start_at <= :ahead), :ahead)
        AND read_to > :ahead
  )
  AND (lease_until IS NULL OR lease_until <= strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z')
