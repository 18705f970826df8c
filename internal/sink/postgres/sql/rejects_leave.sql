-- They still do not fit. last_seen stays: it says which of two versions of a row is the later one.
UPDATE exporter.rejects AS r
SET field = m.field, reason = m.reason, attempts = r.attempts + 1
FROM unnest($2::text[], $3::text[], $4::text[]) AS m (fingerprint, field, reason)
WHERE r.dataset = $1 AND r.fingerprint = m.fingerprint
