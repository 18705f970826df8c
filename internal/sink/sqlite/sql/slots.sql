SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z', b.next_slot_at, coalesce(b.rate, 0), coalesce(b.lowered, 0)
FROM (SELECT :endpoint AS endpoint) AS e
LEFT JOIN exporter_budgets AS b ON b.endpoint = e.endpoint
