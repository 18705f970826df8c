-- +goose Up
CREATE TABLE exporter.arrivals (
    dataset   text NOT NULL,
    month     date NOT NULL,
    bucket    integer NOT NULL CHECK (bucket >= 0),
    rows      bigint NOT NULL,
    largest_s bigint NOT NULL,
    PRIMARY KEY (dataset, month, bucket)
);
COMMENT ON TABLE exporter.arrivals IS 'When rows arrive: how many rows were made in the source so long after their own time, by the month in which they were made. Each is counted once, when it is written first';
COMMENT ON COLUMN exporter.arrivals.dataset IS 'exporter.datasets.name';
COMMENT ON COLUMN exporter.arrivals.month IS 'First day of the month, UTC';
COMMENT ON COLUMN exporter.arrivals.bucket IS 'How late: below 4 the seconds themselves, else from (4 + bucket % 4) * 2^(bucket / 4 - 1) seconds on';
COMMENT ON COLUMN exporter.arrivals.rows IS 'Rows';
COMMENT ON COLUMN exporter.arrivals.largest_s IS 'Seconds of the latest of them';
COMMENT ON COLUMN exporter.alarms.alarm IS 'failing: windows cannot be read; stale: complete data lies too far back; drift:INSIGHT: windows do not agree with an insight, though both were read again; late: rows arrive later than the last re-read';

CREATE TABLE exporter.retentions (
    dataset    text NOT NULL,
    before_at  timestamptz NOT NULL,
    rows       bigint NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at   timestamptz NOT NULL,
    PRIMARY KEY (dataset, before_at)
);
COMMENT ON TABLE exporter.retentions IS 'One row per deletion of old rows of a report, where its config has a retention';
COMMENT ON COLUMN exporter.retentions.dataset IS 'exporter.datasets.name';
COMMENT ON COLUMN exporter.retentions.before_at IS 'Rows from before it were deleted';
COMMENT ON COLUMN exporter.retentions.rows IS 'How many';
COMMENT ON COLUMN exporter.retentions.started_at IS 'When the first of them were deleted';
COMMENT ON COLUMN exporter.retentions.ended_at IS 'When the last of them were deleted';

CREATE TABLE exporter.contracts (
    dataset     text PRIMARY KEY,
    measured_at timestamptz NOT NULL,
    terms       json NOT NULL
);
COMMENT ON TABLE exporter.contracts IS 'How the API was measured to answer for a dataset, by exporter check --contract. A row may be deleted: then nothing is known';
COMMENT ON COLUMN exporter.contracts.dataset IS 'exporter.datasets.name';
COMMENT ON COLUMN exporter.contracts.measured_at IS 'When';
COMMENT ON COLUMN exporter.contracts.terms IS 'What was found';

-- +goose Down
DROP TABLE exporter.contracts;
DROP TABLE exporter.retentions;
DROP TABLE exporter.arrivals;
COMMENT ON COLUMN exporter.alarms.alarm IS 'failing: windows cannot be read; stale: complete data lies too far back; drift:INSIGHT: windows do not agree with an insight, though both were read again';
