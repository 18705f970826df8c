-- +goose Up
-- Pages of the quarantine: those seen last first.
CREATE INDEX exporter_rejects_seen ON exporter_rejects (dataset, last_seen, fingerprint);

-- Whether rows from before the mapping named the metric id have its value in the column, if they have one: until then
-- it is in _extra. Fields that are there already are looked for once.
ALTER TABLE exporter_fields ADD COLUMN promoted BOOLEAN NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE exporter_fields DROP COLUMN promoted;
DROP INDEX exporter_rejects_seen;
