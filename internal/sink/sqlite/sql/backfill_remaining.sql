SELECT count(*),
       count(*) FILTER (WHERE unread),
       count(*) FILTER (WHERE unread AND state IN ('failed', 'unstable')),
       count(*) FILTER (WHERE unread AND lease_until > strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z')
FROM (
    SELECT state, lease_until, read_at IS NULL OR read_at < :since AS unread
    FROM exporter_windows
    WHERE dataset = :dataset
      AND start_at >= coalesce((SELECT max(start_at) FROM exporter_windows WHERE dataset = :dataset AND start_at <= :from), :from)
      AND end_at > :from AND start_at < :to
)
