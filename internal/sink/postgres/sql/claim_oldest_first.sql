SELECT start_at, end_at FROM due ORDER BY start_at LIMIT 1
