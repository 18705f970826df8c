SELECT dataset, bucket, sum("rows"), max(largest_s)
FROM exporter_arrivals
WHERE month >= :since
GROUP BY dataset, bucket
