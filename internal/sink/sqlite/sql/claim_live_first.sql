, again AS NOT MATERIALIZED (
    -- As due, of windows that were read to their ends.
    SELECT start_at, end_at
    FROM exporter_windows INDEXED BY exporter_windows_reread
    WHERE dataset = :dataset AND end_at > :from AND start_at < min(:to, :edge)
      AND start_at >= coalesce((SELECT max(start_at) FROM exporter_windows WHERE dataset = :dataset AND start_at <= :from), :from)
      AND next_read_at <= :now
      AND (lease_until IS NULL OR lease_until <= strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z')
      AND read_to >= end_at
      AND (read_at IS NULL OR read_at < :read_before)
)
SELECT start_at, end_at
FROM (
    SELECT * FROM (
        SELECT 0 AS class, start_at, end_at
        FROM due
        WHERE start_at IN (
            SELECT start_at FROM exporter_windows INDEXED BY exporter_windows_partly WHERE dataset = :dataset AND read_to < end_at
        )
        ORDER BY start_at
        LIMIT 1
    ) -- partly read
    UNION ALL
    SELECT * FROM (
        SELECT 0, start_at, end_at
        FROM due
        WHERE end_at >= :edge
          AND start_at >= (SELECT max(start_at) FROM exporter_windows WHERE dataset = :dataset AND start_at < :edge)
        LIMIT 1
    ) -- reaches to the edge
    UNION ALL
    SELECT * FROM (SELECT 1, start_at, end_at FROM again ORDER BY start_at LIMIT 1) -- to be read again
    UNION ALL
    SELECT * FROM (SELECT 2, start_at, end_at FROM due ORDER BY start_at LIMIT 1) -- never read, where there is none of the others
)
ORDER BY class, start_at
LIMIT 1
