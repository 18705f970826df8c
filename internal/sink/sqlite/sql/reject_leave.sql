-- It still does not fit. last_seen stays: it says which of two versions of a row is the later one.
UPDATE exporter_rejects
SET field = :field, reason = :reason, attempts = attempts + 1
WHERE dataset = :dataset AND fingerprint = :fingerprint
