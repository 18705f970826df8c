-- +goose Up
ALTER TABLE exporter.datasets ADD COLUMN form text NOT NULL DEFAULT '';
COMMENT ON COLUMN exporter.datasets.form IS 'What appended rows are made by: those of two forms cannot be compared. Empty where rows are not appended by windows';
ALTER TABLE exporter.windows ADD COLUMN older_form boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN exporter.windows.older_form IS 'Its rows were appended in an older form: to read it again would add them once more, so that only a backfill does so, once they are deleted';

-- +goose Down
ALTER TABLE exporter.windows DROP COLUMN older_form;
ALTER TABLE exporter.datasets DROP COLUMN form;
