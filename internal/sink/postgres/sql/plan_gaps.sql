-- The stretches of [$2, $3) that no window of the dataset covers. Windows do not overlap, so that the last one that
-- starts at or before $2 is the first that can reach into it.
WITH near AS (
    SELECT start_at, end_at
    FROM exporter.windows
    WHERE dataset = $1
      AND start_at >= coalesce((SELECT max(start_at) FROM exporter.windows WHERE dataset = $1 AND start_at <= $2), $2)
      AND start_at < $3
      AND end_at > $2
)
SELECT gap_start, gap_end
FROM (
    SELECT greatest($2::timestamptz, max(end_at) OVER (ORDER BY start_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) AS gap_start,
           start_at AS gap_end
    FROM near
    UNION ALL
    SELECT greatest($2::timestamptz, max(end_at)), $3::timestamptz FROM near
) AS gap
WHERE gap_start < gap_end
ORDER BY gap_start
