UPDATE exporter.datasets
SET problem = $2, problem_reason = $3,
    problem_since = CASE WHEN problem = $2 THEN problem_since ELSE $4::timestamptz END
WHERE name = $1 AND (problem, problem_reason) IS DISTINCT FROM ($2, $3)
