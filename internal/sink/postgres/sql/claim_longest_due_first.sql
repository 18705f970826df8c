-- History is due since it was planned, all of it at one time: to put that in order would be to read it whole.
SELECT start_at, end_at FROM due ORDER BY next_read_at LIMIT 1
