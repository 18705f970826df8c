WITH ended AS (
    UPDATE exporter.runs SET ended_at = $2, outcome = $3 WHERE id = $1 RETURNING dataset
)
UPDATE exporter.datasets AS d
SET last_run = $1,
    last_run_at = $2,
    through = (SELECT t.through FROM exporter.through AS t WHERE t.dataset = d.name)
FROM ended
WHERE d.name = ended.dataset
