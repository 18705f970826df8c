SELECT *
FROM (SELECT * FROM due WHERE start_at <= $8 AND start_at >= $9 ORDER BY start_at DESC LIMIT $10) AS latest
ORDER BY start_at
