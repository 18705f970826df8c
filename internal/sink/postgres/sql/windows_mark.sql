-- As backfill_mark.sql, of the windows that hold the given instants, but for those that may not be read again.
WITH marked AS (
    SELECT start_at
    FROM exporter.windows
    WHERE dataset = $1 AND NOT older_form
      AND start_at IN (
          SELECT w.start_at
          FROM unnest($2::timestamptz[]) AS i (at)
          CROSS JOIN LATERAL (
              SELECT start_at, end_at FROM exporter.windows WHERE dataset = $1 AND start_at <= i.at ORDER BY start_at DESC LIMIT 1
          ) AS w
          WHERE w.end_at > i.at
      )
    ORDER BY start_at
    FOR UPDATE
)
UPDATE exporter.windows AS w
SET state = CASE WHEN w.lease_until > clock_timestamp() THEN w.state ELSE 'due' END,
    next_read_at = $3,
    attempts = 0,
    read_at = CASE WHEN w.read_at >= $3 THEN $3::timestamptz - interval '1 microsecond' ELSE w.read_at END,
    read_to = CASE WHEN w.read_to >= w.end_at THEN w.read_to END
FROM marked
WHERE w.dataset = $1 AND w.start_at = marked.start_at
