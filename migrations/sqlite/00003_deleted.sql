-- +goose Up
ALTER TABLE exporter_runs ADD COLUMN deleted BIGINT NOT NULL DEFAULT 0; -- rows that were marked as deleted

-- +goose Down
ALTER TABLE exporter_runs DROP COLUMN deleted;
