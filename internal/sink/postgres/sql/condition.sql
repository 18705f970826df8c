SELECT d.problem, d.problem_reason, d.problem_since,
       coalesce(s.works, 0), coalesce(s.refused, 0), coalesce(s.met, 0), s.until,
       coalesce(g.works, 0), coalesce(g.refused, 0), coalesce(g.met, 0), g.until,
       c.measured_at, coalesce(c.terms::text, '')
FROM exporter.datasets AS d
LEFT JOIN exporter.limits AS s ON s.dataset = d.name AND s.kind = 'skip'
LEFT JOIN exporter.limits AS g ON g.dataset = d.name AND g.kind = 'range'
LEFT JOIN exporter.contracts AS c ON c.dataset = d.name
WHERE d.name = $1
