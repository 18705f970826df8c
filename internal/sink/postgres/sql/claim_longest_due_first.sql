-- By nothing else: all history is due since one time, when it was planned, and to put that in order would be to read it whole.
SELECT start_at, end_at FROM due ORDER BY next_read_at LIMIT 1
