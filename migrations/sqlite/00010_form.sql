-- +goose Up
ALTER TABLE exporter_datasets ADD COLUMN form TEXT NOT NULL DEFAULT ''; -- what appended rows are made by: those of two forms cannot be compared
ALTER TABLE exporter_windows ADD COLUMN older_form BOOLEAN NOT NULL DEFAULT 0; -- its rows were appended in an older form; see the Postgres migration

-- +goose Down
ALTER TABLE exporter_windows DROP COLUMN older_form;
ALTER TABLE exporter_datasets DROP COLUMN form;
