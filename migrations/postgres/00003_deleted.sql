-- +goose Up
ALTER TABLE exporter.runs ADD COLUMN deleted bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN exporter.runs.deleted IS 'Rows that were marked as deleted, since the API had them no more';

-- +goose Down
ALTER TABLE exporter.runs DROP COLUMN deleted;
