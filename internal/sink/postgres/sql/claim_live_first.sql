, first AS (
    (SELECT 0 AS class, start_at, end_at FROM due WHERE read_to < end_at ORDER BY start_at LIMIT 1) -- partly read
    UNION ALL
    (SELECT 0, start_at, end_at
     FROM due
     WHERE end_at >= $3 AND start_at >= (SELECT max(start_at) FROM exporter.windows WHERE dataset = $1 AND start_at < $3)
     LIMIT 1) -- reaches to the edge
    UNION ALL
    (SELECT 1, start_at, end_at FROM due WHERE read_to >= end_at ORDER BY start_at LIMIT 1) -- to be read again
    UNION ALL
    (SELECT 2, start_at, end_at FROM due ORDER BY start_at LIMIT 1) -- never read, where there is none of the others
)
SELECT start_at, end_at FROM first ORDER BY class, start_at LIMIT 1
