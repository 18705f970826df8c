-- +goose Up
CREATE TABLE exporter_arrivals ( -- how many rows were made in the source so long after their own time; see the Postgres migration
    dataset   TEXT NOT NULL,
    month     TEXT NOT NULL,
    bucket    INTEGER NOT NULL CHECK (bucket >= 0),
    "rows"    INTEGER NOT NULL,
    largest_s INTEGER NOT NULL,
    PRIMARY KEY (dataset, month, bucket)
);

CREATE TABLE exporter_retentions ( -- deletions of old rows
    dataset    TEXT NOT NULL,
    before_at  TEXT NOT NULL,
    "rows"     INTEGER NOT NULL,
    started_at TEXT NOT NULL,
    ended_at   TEXT NOT NULL,
    PRIMARY KEY (dataset, before_at)
);

CREATE TABLE exporter_contracts ( -- how the API was measured to answer
    dataset     TEXT PRIMARY KEY,
    measured_at TEXT NOT NULL,
    terms       TEXT NOT NULL
);

-- +goose Down
DROP TABLE exporter_contracts;
DROP TABLE exporter_retentions;
DROP TABLE exporter_arrivals;
