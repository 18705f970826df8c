SELECT start_at, end_at
FROM due
ORDER BY CASE
             WHEN read_to < end_at OR end_at >= :edge THEN 0 -- the live edge
             WHEN read_to IS NOT NULL THEN 1                 -- re-reads
             ELSE 2                                          -- history
         END, start_at
LIMIT 1
