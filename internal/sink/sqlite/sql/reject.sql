INSERT INTO exporter_rejects (dataset, fingerprint, window_start, window_end, raw, field, reason, first_seen, last_seen)
VALUES (:dataset, :fingerprint, :window_start, :window_end, :raw, :field, :reason, :now, :now)
ON CONFLICT (dataset, fingerprint) DO UPDATE
SET window_start = excluded.window_start,
    window_end   = excluded.window_end,
    field        = excluded.field,
    reason       = excluded.reason,
    last_seen    = excluded.last_seen,
    attempts     = attempts + 1
