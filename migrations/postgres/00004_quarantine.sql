-- +goose Up
-- Pages of the quarantine: those seen last first.
CREATE INDEX rejects_seen ON exporter.rejects (dataset, last_seen, fingerprint);
COMMENT ON COLUMN exporter.rejects.first_seen IS 'When the API sent it first';
COMMENT ON COLUMN exporter.rejects.last_seen IS 'When the API sent it last; a retry leaves it as it is';
COMMENT ON COLUMN exporter.rejects.attempts IS 'Times it did not fit: as it was read, and as it was retried';

-- Fields that are there already are looked for once.
ALTER TABLE exporter.fields ADD COLUMN promoted boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN exporter.fields.promoted IS 'Whether rows from before the mapping named the metric id have its value in the column, if they have one: until then it is in _extra';

-- +goose Down
ALTER TABLE exporter.fields DROP COLUMN promoted;
DROP INDEX exporter.rejects_seen;
