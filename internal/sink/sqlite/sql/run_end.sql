UPDATE exporter_runs
SET ended_at = :ended_at, outcome = :outcome, fetch_ms = fetch_ms + :fetch_ms, wait_ms = wait_ms + :wait_ms,
    decode_ms = decode_ms + :decode_ms, compare_ms = compare_ms + :compare_ms, commit_ms = commit_ms + :commit_ms
WHERE id = :run
