-- The stretches of [$2, $3) that no window of the dataset covers.
SELECT gap_start, gap_end
FROM (
    SELECT greatest($2::timestamptz, max(end_at) OVER (ORDER BY start_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) AS gap_start,
           start_at AS gap_end
    FROM exporter.windows
    WHERE dataset = $1 AND start_at < $3 AND end_at > $2
    UNION ALL
    SELECT greatest($2::timestamptz, max(end_at)), $3::timestamptz
    FROM exporter.windows
    WHERE dataset = $1 AND start_at < $3 AND end_at > $2
) AS gap
WHERE gap_start < gap_end
ORDER BY gap_start
