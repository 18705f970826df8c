-- $1 the first month that counts.
SELECT dataset, bucket, sum(rows)::bigint, max(largest_s)
FROM exporter.arrivals
WHERE month >= $1::date
GROUP BY dataset, bucket
