-- +goose Up
CREATE TABLE exporter.alarms (
    dataset text NOT NULL,
    alarm   text NOT NULL,
    since   timestamptz NOT NULL,
    PRIMARY KEY (dataset, alarm)
);
COMMENT ON TABLE exporter.alarms IS 'One row per trouble of a dataset that the webhook was told of, and that is not over: it is told once, whatever the number of replicas';
COMMENT ON COLUMN exporter.alarms.dataset IS 'exporter.datasets.name';
COMMENT ON COLUMN exporter.alarms.alarm IS 'failing: windows cannot be read; stale: complete data lies too far back';
COMMENT ON COLUMN exporter.alarms.since IS 'When it was noticed';

-- +goose Down
DROP TABLE exporter.alarms;
