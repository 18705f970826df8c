-- +goose Up
ALTER TABLE exporter.fields ADD COLUMN transform text;
COMMENT ON COLUMN exporter.fields.transform IS 'What is done to the values: none, lower, trim, last4, or hmac with a digest of its key; the timezone of times that come without an offset. Null: not known, from before the exporter kept it';

-- +goose Down
ALTER TABLE exporter.fields DROP COLUMN transform;
