SELECT fingerprint, last_seen
FROM exporter_rejects
WHERE dataset = :dataset AND fingerprint IN (SELECT value FROM json_each(:fingerprints))
