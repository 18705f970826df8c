-- The rejects that lie wholly in [$2, $3) and were not rejected again.
DELETE FROM exporter.rejects
WHERE dataset = $1
  AND fingerprint <> ALL ($4)
  AND window_start >= $2
  AND window_end <= $3
