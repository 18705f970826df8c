SELECT *
FROM due
WHERE start_at >= :seed AND (start_at = :seed OR start_at < :limit)
ORDER BY start_at
LIMIT :most
