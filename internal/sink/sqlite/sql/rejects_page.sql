-- Those seen last come first. :seen and :fingerprint: the last one of the page before; null: from the first one on.
SELECT fingerprint, window_start, window_end, raw, field, reason, first_seen, last_seen, attempts
FROM exporter_rejects
WHERE dataset = :dataset
  AND (:seen IS NULL OR (last_seen, fingerprint) < (:seen, :fingerprint))
ORDER BY last_seen DESC, fingerprint DESC
LIMIT :limit
