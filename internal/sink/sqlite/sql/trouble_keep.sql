UPDATE exporter_datasets
SET problem = :problem, problem_reason = :reason,
    problem_since = CASE WHEN problem = :problem THEN problem_since ELSE :since END
WHERE name = :dataset AND (problem <> :problem OR problem_reason <> :reason)
