SELECT *
FROM (SELECT * FROM due WHERE start_at <= :seed AND (start_at = :seed OR start_at >= :limit) ORDER BY start_at DESC LIMIT :most)
ORDER BY start_at
