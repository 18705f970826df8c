-- The rejects of windows that lie within [$2, $3) and were not rejected again.
DELETE FROM exporter.rejects
WHERE dataset = $1
  AND fingerprint <> ALL ($4)
  AND window_start IN (SELECT start_at FROM exporter.windows WHERE dataset = $1 AND start_at >= $2 AND end_at <= $3)
