INSERT INTO exporter.rejects (dataset, fingerprint, window_start, window_end, raw, field, reason, first_seen, last_seen)
SELECT $1, fingerprint, window_start, window_end, raw::json, field, reason, now(), now()
FROM unnest($2::text[], $3::timestamptz[], $4::timestamptz[], $5::text[], $6::text[], $7::text[])
    AS r (fingerprint, window_start, window_end, raw, field, reason)
ORDER BY fingerprint
ON CONFLICT (dataset, fingerprint) DO UPDATE SET
    window_start = excluded.window_start,
    window_end = excluded.window_end,
    field = excluded.field,
    reason = excluded.reason,
    last_seen = excluded.last_seen,
    attempts = rejects.attempts + 1
