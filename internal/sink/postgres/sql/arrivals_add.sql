INSERT INTO exporter.arrivals AS a (dataset, month, bucket, rows, largest_s)
SELECT $1, n.month, n.bucket, n.rows, n.largest_s
FROM unnest($2::date[], $3::integer[], $4::bigint[], $5::bigint[]) AS n (month, bucket, rows, largest_s)
ORDER BY n.month, n.bucket
ON CONFLICT (dataset, month, bucket) DO UPDATE
SET rows = a.rows + excluded.rows, largest_s = greatest(a.largest_s, excluded.largest_s)
