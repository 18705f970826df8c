-- Those seen last come first. $2 and $3: the last one of the page before; null: from the first one on.
SELECT fingerprint, window_start, window_end, raw::text, field, reason, first_seen, last_seen, attempts
FROM exporter.rejects
WHERE dataset = $1
  AND ($2::timestamptz IS NULL OR (last_seen, fingerprint) < ($2, $3::text))
ORDER BY last_seen DESC, fingerprint DESC
LIMIT $4
