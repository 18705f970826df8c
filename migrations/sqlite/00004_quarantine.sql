-- +goose Up
-- Pages of the quarantine: those seen last first.
CREATE INDEX exporter_rejects_seen ON exporter_rejects (dataset, last_seen, fingerprint);

-- +goose Down
DROP INDEX exporter_rejects_seen;
