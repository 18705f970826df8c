SELECT d.problem, d.problem_reason, d.problem_since,
       coalesce(s.works, 0), coalesce(s.refused, 0), coalesce(s.met, 0), s.until,
       coalesce(g.works, 0), coalesce(g.refused, 0), coalesce(g.met, 0), g.until,
       c.measured_at, coalesce(c.terms, '')
FROM exporter_datasets AS d
LEFT JOIN exporter_limits AS s ON s.dataset = d.name AND s.kind = 'skip'
LEFT JOIN exporter_limits AS g ON g.dataset = d.name AND g.kind = 'range'
LEFT JOIN exporter_contracts AS c ON c.dataset = d.name
WHERE d.name = :dataset
