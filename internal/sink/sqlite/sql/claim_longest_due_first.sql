SELECT start_at, end_at FROM due ORDER BY next_read_at, start_at LIMIT 1
