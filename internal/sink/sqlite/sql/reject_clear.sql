-- What lies wholly in the stretch that was read, and was not rejected again, goes.
DELETE FROM exporter_rejects
WHERE dataset = :dataset
  AND window_start >= :from
  AND window_end <= :to
  AND fingerprint NOT IN (SELECT value FROM json_each(:seen))
