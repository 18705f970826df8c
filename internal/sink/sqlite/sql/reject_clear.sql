-- Windows that were read whole: what they no longer reject goes.
DELETE FROM exporter_rejects
WHERE dataset = :dataset
  AND window_start IN (
      SELECT start_at FROM exporter_windows WHERE dataset = :dataset AND start_at >= :from AND end_at <= :to
  )
  AND fingerprint NOT IN (SELECT value FROM json_each(:seen))
