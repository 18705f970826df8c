-- $1 now, $2 since when windows count for what is new. What is due: see package sink; here windows under lease count.
SELECT d.name, d.kind, d.table_name, t.through,
       d.settled_rows + recent.rows, d.settled_windows + recent.windows, open.due, open.running, open.lapsed, trouble.failed, open.behind,
       coalesce(f.error, ''), (SELECT count(*) FROM exporter.rejects AS r WHERE r.dataset = d.name),
       (SELECT read_to
        FROM exporter.windows
        WHERE dataset = d.name AND start_at > $2 AND start_at <= $1 AND read_to IS NOT NULL
        ORDER BY start_at DESC
        LIMIT 1),
       coalesce(r.id, 0),
       d.problem, d.problem_reason, d.problem_since,
       coalesce(s.works, 0), coalesce(s.refused, 0), coalesce(s.met, 0), s.until,
       coalesce(g.works, 0), coalesce(g.refused, 0), coalesce(g.met, 0), g.until,
       c.measured_at, coalesce(c.terms::text, '')
FROM exporter.datasets AS d
LEFT JOIN exporter.through AS t ON t.dataset = d.name
CROSS JOIN LATERAL (
    SELECT coalesce(sum(rows), 0)::bigint AS rows, count(*) AS windows
    FROM exporter.windows
    WHERE dataset = d.name AND start_at >= coalesce(d.settled_to, '-infinity')
) AS recent
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (
               WHERE next_read_at <= $1 AND start_at < $1
                 AND (read_to IS NULL OR read_to >= end_at OR read_to < least(end_at, $1))
           ) AS due,
           count(*) FILTER (WHERE lease_until > clock_timestamp()) AS running,
           count(*) FILTER (WHERE state = 'running' AND lease_until <= clock_timestamp()) AS lapsed,
           count(*) FILTER (WHERE end_at <= $1 AND (read_to IS NULL OR read_to < end_at)) AS behind
    FROM exporter.windows
    WHERE dataset = d.name AND next_read_at IS NOT NULL
) AS open
CROSS JOIN LATERAL (
    SELECT count(*) AS failed
    FROM exporter.windows
    WHERE dataset = d.name AND attempts > 0 AND state IN ('failed', 'unstable')
) AS trouble
LEFT JOIN LATERAL (
    SELECT error
    FROM exporter.windows
    WHERE dataset = d.name AND attempts > 0 AND state IN ('failed', 'unstable')
    ORDER BY start_at
    LIMIT 1
) AS f ON true
LEFT JOIN LATERAL (
    SELECT id FROM exporter.runs WHERE dataset = d.name ORDER BY id DESC LIMIT 1
) AS r ON true
LEFT JOIN exporter.limits AS s ON s.dataset = d.name AND s.kind = 'skip'
LEFT JOIN exporter.limits AS g ON g.dataset = d.name AND g.kind = 'range'
LEFT JOIN exporter.contracts AS c ON c.dataset = d.name
ORDER BY d.name COLLATE "C"
