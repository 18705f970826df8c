-- +goose Up
-- Pages of the quarantine: those seen last first.
CREATE INDEX rejects_seen ON exporter.rejects (dataset, last_seen, fingerprint);
COMMENT ON COLUMN exporter.rejects.first_seen IS 'When the API sent it first';
COMMENT ON COLUMN exporter.rejects.last_seen IS 'When the API sent it last; a retry leaves it as it is';
COMMENT ON COLUMN exporter.rejects.attempts IS 'Times it did not fit: as it was read, and as it was retried';

-- +goose Down
DROP INDEX exporter.rejects_seen;
