-- +goose Up
ALTER TABLE exporter.fields ADD COLUMN transform text;
COMMENT ON COLUMN exporter.fields.transform IS 'What is done to the values: none, lower, trim, last4, or hmac with a digest of its key; the timezone of times that come without an offset. Null: not known, from before the exporter kept it';
ALTER TABLE exporter.runs ADD COLUMN config_hash text;
COMMENT ON COLUMN exporter.runs.config_hash IS 'Hash of the configuration that it was begun with: another one does not go on with a backfill. Null: not known, from before the exporter kept it';

-- +goose Down
ALTER TABLE exporter.runs DROP COLUMN config_hash;
ALTER TABLE exporter.fields DROP COLUMN transform;
