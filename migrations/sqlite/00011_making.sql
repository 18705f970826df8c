-- +goose Up
ALTER TABLE exporter_fields ADD COLUMN transform TEXT; -- what is done to the values; NULL: not known
ALTER TABLE exporter_runs ADD COLUMN config_hash TEXT; -- of the configuration that it was begun with; NULL: not known

-- +goose Down
ALTER TABLE exporter_runs DROP COLUMN config_hash;
ALTER TABLE exporter_fields DROP COLUMN transform;
