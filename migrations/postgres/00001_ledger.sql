-- +goose Up
-- The schema exporter is there before the first migration: goose's own version table lives in it.
-- All of these tables stay local on Citus: leases need SKIP LOCKED and cheap updates of single rows.

CREATE TABLE exporter.datasets (
    name         text PRIMARY KEY,
    kind         text NOT NULL CHECK (kind IN ('report', 'insight', 'dashboard')),
    table_schema text NOT NULL,
    table_name   text NOT NULL,
    config_hash  text NOT NULL,
    reread       interval[] NOT NULL,
    epoch        bigint NOT NULL DEFAULT 0,
    through      timestamptz,
    last_run     bigint,
    last_run_at  timestamptz
);
COMMENT ON TABLE exporter.datasets IS 'One row per dataset: a configured report, insight or dashboard';
COMMENT ON COLUMN exporter.datasets.name IS 'Name in the configuration';
COMMENT ON COLUMN exporter.datasets.kind IS 'report, insight or dashboard';
COMMENT ON COLUMN exporter.datasets.table_schema IS 'Schema of the table that holds the rows';
COMMENT ON COLUMN exporter.datasets.table_name IS 'Table that holds the rows';
COMMENT ON COLUMN exporter.datasets.config_hash IS 'Hash of the configuration that the table was last prepared with';
COMMENT ON COLUMN exporter.datasets.reread IS 'Delays after the end of a window at which it is read again, once each';
COMMENT ON COLUMN exporter.datasets.epoch IS 'Counter that each lease takes its epoch from';
COMMENT ON COLUMN exporter.datasets.through IS 'Data before it was complete when the last run ended; the view exporter.through has it as of now';
COMMENT ON COLUMN exporter.datasets.last_run IS 'The run that ended last: exporter.runs.id';
COMMENT ON COLUMN exporter.datasets.last_run_at IS 'When that run ended';

CREATE TABLE exporter.windows (
    dataset      text NOT NULL,
    start_at     timestamptz NOT NULL,
    end_at       timestamptz NOT NULL CHECK (end_at > start_at),
    state        text NOT NULL CHECK (state IN ('due', 'running', 'read', 'final', 'failed', 'unstable')),
    rows         bigint NOT NULL DEFAULT 0,
    reads        integer NOT NULL DEFAULT 0,
    attempts     integer NOT NULL DEFAULT 0,
    error        text NOT NULL DEFAULT '',
    read_at      timestamptz,
    read_to      timestamptz,
    next_read_at timestamptz,
    lease_owner  text,
    lease_until  timestamptz,
    epoch        bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (dataset, start_at)
);
-- Nearly all windows are final and have no next_read_at: the index holds only what will be due.
CREATE INDEX windows_due ON exporter.windows (dataset, next_read_at) WHERE next_read_at IS NOT NULL;
COMMENT ON TABLE exporter.windows IS 'The ledger: one row per dataset and window of time, which says what has been read and when it is to be read next';
COMMENT ON COLUMN exporter.windows.dataset IS 'exporter.datasets.name';
COMMENT ON COLUMN exporter.windows.start_at IS 'The window holds times from here on';
COMMENT ON COLUMN exporter.windows.end_at IS 'The window holds times before it';
COMMENT ON COLUMN exporter.windows.state IS 'due: to be read; running: being read; read: read, to be read again; final: read for the last time; failed: the last read failed; unstable: rows moved during every read. Failed and unstable windows stay due';
COMMENT ON COLUMN exporter.windows.rows IS 'Rows of the window at its last reading';
COMMENT ON COLUMN exporter.windows.reads IS 'Times it has been read';
COMMENT ON COLUMN exporter.windows.attempts IS 'Failed or unstable reads since the last good one';
COMMENT ON COLUMN exporter.windows.error IS 'Error of the last failed read';
COMMENT ON COLUMN exporter.windows.read_at IS 'When the last good read began; null: never';
COMMENT ON COLUMN exporter.windows.read_to IS 'Up to where the window has been read; null: never';
COMMENT ON COLUMN exporter.windows.next_read_at IS 'When it is to be read next; null: never again';
COMMENT ON COLUMN exporter.windows.lease_owner IS 'The process that is reading it';
COMMENT ON COLUMN exporter.windows.lease_until IS 'When that process loses its right to it, by this server''s clock';
COMMENT ON COLUMN exporter.windows.epoch IS 'Epoch of the last lease: a commit under an older one is refused';

CREATE TABLE exporter.runs (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dataset     text NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('scheduled', 'once', 'backfill')),
    started_at  timestamptz NOT NULL,
    ended_at    timestamptz,
    range_start timestamptz,
    range_end   timestamptz,
    open_ended  boolean NOT NULL DEFAULT false,
    windows     bigint NOT NULL DEFAULT 0,
    rows_read   bigint NOT NULL DEFAULT 0,
    written     bigint NOT NULL DEFAULT 0,
    unchanged   bigint NOT NULL DEFAULT 0,
    rejected    bigint NOT NULL DEFAULT 0,
    outcome     text NOT NULL DEFAULT ''
);
CREATE INDEX runs_dataset ON exporter.runs (dataset, id);
COMMENT ON TABLE exporter.runs IS 'One row per run: one pass over what was due of a dataset';
COMMENT ON COLUMN exporter.runs.id IS 'Number of the run';
COMMENT ON COLUMN exporter.runs.dataset IS 'exporter.datasets.name';
COMMENT ON COLUMN exporter.runs.kind IS 'scheduled, once or backfill';
COMMENT ON COLUMN exporter.runs.started_at IS 'When it began, by the exporter''s clock';
COMMENT ON COLUMN exporter.runs.ended_at IS 'When it ended; null: it goes on, or its process died';
COMMENT ON COLUMN exporter.runs.range_start IS 'Start of the range that a backfill covers';
COMMENT ON COLUMN exporter.runs.range_end IS 'End of the range that a backfill covers';
COMMENT ON COLUMN exporter.runs.open_ended IS 'Whether the backfill was asked for without an end';
COMMENT ON COLUMN exporter.runs.windows IS 'Windows that it read';
COMMENT ON COLUMN exporter.runs.rows_read IS 'Rows that the API sent';
COMMENT ON COLUMN exporter.runs.written IS 'Rows that were new or had changed';
COMMENT ON COLUMN exporter.runs.unchanged IS 'Rows that the table had already, as they are';
COMMENT ON COLUMN exporter.runs.rejected IS 'Rows that could not be mapped: see exporter.rejects';
COMMENT ON COLUMN exporter.runs.outcome IS 'done, failed or interrupted; empty: it goes on, or its process died';

CREATE TABLE exporter.rejects (
    dataset      text NOT NULL,
    fingerprint  text NOT NULL,
    window_start timestamptz NOT NULL,
    window_end   timestamptz NOT NULL CHECK (window_end > window_start),
    raw          json NOT NULL,
    field        text NOT NULL,
    reason       text NOT NULL,
    first_seen   timestamptz NOT NULL,
    last_seen    timestamptz NOT NULL,
    attempts     integer NOT NULL DEFAULT 1,
    PRIMARY KEY (dataset, fingerprint)
);
CREATE INDEX rejects_window ON exporter.rejects (dataset, window_start);
COMMENT ON TABLE exporter.rejects IS 'Rows that could not be mapped, kept as the API sent them; a row goes when all of its stretch of time has been read again without it';
COMMENT ON COLUMN exporter.rejects.dataset IS 'exporter.datasets.name';
COMMENT ON COLUMN exporter.rejects.fingerprint IS 'SHA-256 of the row as the API sent it';
COMMENT ON COLUMN exporter.rejects.window_start IS 'The row lies at or after it: start of its window, or of all that was read when its time is not known';
COMMENT ON COLUMN exporter.rejects.window_end IS 'The row lies before it: end of its window, or of all that was read when its time is not known';
COMMENT ON COLUMN exporter.rejects.raw IS 'The row as the API sent it';
COMMENT ON COLUMN exporter.rejects.field IS 'Column or metric id of the value at fault';
COMMENT ON COLUMN exporter.rejects.reason IS 'What was wrong with it';
COMMENT ON COLUMN exporter.rejects.first_seen IS 'When it was rejected first';
COMMENT ON COLUMN exporter.rejects.last_seen IS 'When it was rejected last';
COMMENT ON COLUMN exporter.rejects.attempts IS 'Times it was rejected';

CREATE TABLE exporter.fields (
    dataset      text NOT NULL,
    table_schema text NOT NULL,
    table_name   text NOT NULL,
    column_name  text NOT NULL,
    position     integer NOT NULL,
    metric_id    text NOT NULL,
    title        text NOT NULL,
    type         text NOT NULL,
    PRIMARY KEY (dataset, column_name)
);
COMMENT ON TABLE exporter.fields IS 'The data dictionary: one row per column of the report tables';
COMMENT ON COLUMN exporter.fields.dataset IS 'exporter.datasets.name';
COMMENT ON COLUMN exporter.fields.table_schema IS 'Schema of the table';
COMMENT ON COLUMN exporter.fields.table_name IS 'Table that holds the column';
COMMENT ON COLUMN exporter.fields.column_name IS 'Column';
COMMENT ON COLUMN exporter.fields.position IS 'Place of the column in the mapping, from 1';
COMMENT ON COLUMN exporter.fields.metric_id IS 'Metric id in the API; empty for the exporter''s own columns';
COMMENT ON COLUMN exporter.fields.title IS 'Title of the field';
COMMENT ON COLUMN exporter.fields.type IS 'Type that the mapping gives it';

-- The end of the unbroken run of read windows: it stops at the first window that is not read to its end, and
-- at the first gap. No row, or null: nothing is complete yet.
CREATE VIEW exporter.through AS
SELECT dataset,
       nullif(coalesce(min(stop_at), max(end_at)), min(start_at)) AS through
FROM (
    SELECT dataset, start_at, end_at,
           CASE
               WHEN read_to IS NULL THEN start_at
               WHEN read_to < end_at THEN read_to
               WHEN lead(start_at) OVER (PARTITION BY dataset ORDER BY start_at) > end_at THEN end_at
           END AS stop_at
    FROM exporter.windows
) AS w
GROUP BY dataset;
COMMENT ON VIEW exporter.through IS 'Per dataset, the time before which the data is complete';
COMMENT ON COLUMN exporter.through.dataset IS 'exporter.datasets.name';
COMMENT ON COLUMN exporter.through.through IS 'Data before it is complete; null: nothing is';

-- +goose Down
DROP VIEW exporter.through;
DROP TABLE exporter.fields, exporter.rejects, exporter.runs, exporter.windows, exporter.datasets;
