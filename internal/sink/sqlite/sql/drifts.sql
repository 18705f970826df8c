-- Pairs are looked up by name: there are few datasets, and many windows.
SELECT d.name, i.name,
       (SELECT window_end FROM exporter_reconciliations WHERE dataset = d.name AND insight = i.name ORDER BY window_start DESC LIMIT 1),
       (SELECT count(*) FROM exporter_reconciliations WHERE dataset = d.name AND insight = i.name AND state <> 'agrees'),
       (SELECT count(*) FROM exporter_reconciliations WHERE dataset = d.name AND insight = i.name AND state <> 'agrees' AND state = 'stands'),
       e.window_start, e.window_end, +e.warehouse_value, +e.api_value, +e.difference, e.share, e.state, e.checked_at, e.read_at,
       e.insight_read_at, e.rereads, e.marked_at, e.again_at, e.definition
FROM exporter_datasets AS d
CROSS JOIN exporter_datasets AS i
LEFT JOIN exporter_reconciliations AS e ON e.dataset = d.name AND e.insight = i.name AND e.window_start = (
    SELECT window_start
    FROM exporter_reconciliations
    WHERE dataset = d.name AND insight = i.name AND state <> 'agrees'
    ORDER BY state = 'differs', window_start
    LIMIT 1
)
WHERE i.kind = 'insight' AND EXISTS (SELECT 1 FROM exporter_reconciliations WHERE dataset = d.name AND insight = i.name)
ORDER BY d.name, i.name
