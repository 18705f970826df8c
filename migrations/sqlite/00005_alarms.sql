-- +goose Up
CREATE TABLE exporter_alarms ( -- trouble that the webhook was told of, and that is not over
    dataset TEXT NOT NULL,
    alarm   TEXT NOT NULL,
    since   TEXT NOT NULL,
    PRIMARY KEY (dataset, alarm)
);

-- +goose Down
DROP TABLE exporter_alarms;
