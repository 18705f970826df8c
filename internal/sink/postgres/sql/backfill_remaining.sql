SELECT count(*),
       count(*) FILTER (WHERE unread),
       count(*) FILTER (WHERE unread AND state IN ('failed', 'unstable')),
       count(*) FILTER (WHERE unread AND lease_until > clock_timestamp())
FROM (
    SELECT state, lease_until, read_at IS NULL OR read_at < $4 AS unread
    FROM exporter.windows
    WHERE dataset = $1
      AND start_at >= coalesce((SELECT max(start_at) FROM exporter.windows WHERE dataset = $1 AND start_at <= $2), $2)
      AND end_at > $2 AND start_at < $3
) AS w
