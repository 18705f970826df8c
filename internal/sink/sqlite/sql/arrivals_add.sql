INSERT INTO exporter_arrivals (dataset, month, bucket, "rows", largest_s)
VALUES (:dataset, :month, :bucket, :rows, :largest_s)
ON CONFLICT (dataset, month, bucket) DO UPDATE
SET "rows" = "rows" + excluded."rows", largest_s = max(largest_s, excluded.largest_s)
