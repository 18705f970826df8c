WITH ended AS (
    UPDATE exporter.runs SET
        ended_at = $2, outcome = $3, fetch_ms = fetch_ms + $4, wait_ms = wait_ms + $5, decode_ms = decode_ms + $6,
        compare_ms = compare_ms + $7, commit_ms = commit_ms + $8
    WHERE id = $1 RETURNING dataset
)
UPDATE exporter.datasets AS d
SET last_run = $1,
    last_run_at = $2,
    through = (SELECT t.through FROM exporter.through AS t WHERE t.dataset = d.name)
FROM ended
WHERE d.name = ended.dataset
