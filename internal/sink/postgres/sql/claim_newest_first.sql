SELECT start_at, end_at FROM due ORDER BY start_at DESC LIMIT 1
