-- Pairs are looked up by name: there are few datasets, and many windows.
SELECT d.name, i.name, latest.window_end, differing.n, differing.standing,
       e.window_start, e.window_end, e.warehouse_value::text, e.api_value::text, e.difference::text, e.share, e.state,
       e.checked_at, e.read_at, e.insight_read_at, e.rereads, e.marked_at, e.again_at, e.definition
FROM exporter.datasets AS d
CROSS JOIN exporter.datasets AS i
CROSS JOIN LATERAL (
    SELECT window_end
    FROM exporter.reconciliations
    WHERE dataset = d.name AND insight = i.name
    ORDER BY window_start DESC
    LIMIT 1
) AS latest
CROSS JOIN LATERAL (
    SELECT count(*) AS n, count(*) FILTER (WHERE state = 'stands') AS standing
    FROM exporter.reconciliations
    WHERE dataset = d.name AND insight = i.name AND state <> 'agrees'
) AS differing
LEFT JOIN LATERAL (
    SELECT *
    FROM exporter.reconciliations
    WHERE dataset = d.name AND insight = i.name AND state <> 'agrees'
    ORDER BY state = 'differs', window_start
    LIMIT 1
) AS e ON true
WHERE i.kind = 'insight'
ORDER BY d.name, i.name
