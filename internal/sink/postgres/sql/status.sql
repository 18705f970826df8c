-- $1 now. What is due: see package sink; here windows under lease count.
SELECT d.name, d.kind, d.table_name, t.through,
       coalesce(w.rows, 0), coalesce(w.windows, 0), coalesce(w.due, 0), coalesce(w.running, 0), coalesce(w.failed, 0),
       coalesce(f.error, ''), (SELECT count(*) FROM exporter.rejects AS r WHERE r.dataset = d.name), w.last_read_at,
       coalesce(r.id, 0)
FROM exporter.datasets AS d
LEFT JOIN exporter.through AS t ON t.dataset = d.name
LEFT JOIN (
    SELECT dataset,
           sum(rows)::bigint AS rows,
           count(*) AS windows,
           count(*) FILTER (
               WHERE next_read_at <= $1 AND start_at < $1
                 AND (read_to IS NULL OR read_to >= end_at OR read_to < least(end_at, $1))
           ) AS due,
           count(*) FILTER (WHERE lease_until > clock_timestamp()) AS running,
           count(*) FILTER (WHERE state IN ('failed', 'unstable')) AS failed,
           max(read_at) AS last_read_at
    FROM exporter.windows
    GROUP BY dataset
) AS w ON w.dataset = d.name
LEFT JOIN LATERAL (
    SELECT error
    FROM exporter.windows
    WHERE dataset = d.name AND state IN ('failed', 'unstable')
    ORDER BY start_at
    LIMIT 1
) AS f ON true
LEFT JOIN LATERAL (
    SELECT id FROM exporter.runs WHERE dataset = d.name ORDER BY id DESC LIMIT 1
) AS r ON true
ORDER BY d.name COLLATE "C"
