-- Also of a dataset that was not prepared yet: its contract may have been measured.
SELECT coalesce(d.problem, ''), coalesce(d.problem_reason, ''), d.problem_since,
       coalesce(s.works, 0), coalesce(s.refused, 0), coalesce(s.met, 0), s.until,
       coalesce(g.works, 0), coalesce(g.refused, 0), coalesce(g.met, 0), g.until,
       c.measured_at, coalesce(c.terms::text, '')
FROM (SELECT $1::text AS name) AS asked
LEFT JOIN exporter.datasets AS d ON d.name = asked.name
LEFT JOIN exporter.limits AS s ON s.dataset = asked.name AND s.kind = 'skip'
LEFT JOIN exporter.limits AS g ON g.dataset = asked.name AND g.kind = 'range'
LEFT JOIN exporter.contracts AS c ON c.dataset = asked.name
