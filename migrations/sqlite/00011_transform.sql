-- +goose Up
ALTER TABLE exporter_fields ADD COLUMN transform TEXT; -- what is done to the values; NULL: not known

-- +goose Down
ALTER TABLE exporter_fields DROP COLUMN transform;
