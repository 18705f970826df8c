-- +goose Up
-- Times are ISO 8601 UTC text of one width, so that the order of the text is the order of time.

-- One row per dataset: a configured report, insight or dashboard.
CREATE TABLE exporter_datasets (
    name         TEXT NOT NULL PRIMARY KEY,
    kind         TEXT NOT NULL CHECK (kind IN ('report', 'insight', 'dashboard')),
    table_name   TEXT NOT NULL,
    config_hash  TEXT NOT NULL,
    reread       TEXT NOT NULL,             -- delays after a window's end at which it is read again
    epoch        BIGINT NOT NULL DEFAULT 0, -- counter that each lease takes its epoch from
    through      TEXT,                      -- data before it was complete when the last run ended
    last_run     BIGINT,                    -- the run that ended last
    last_run_at  TEXT
);

-- The ledger: one row per dataset and window of time, which says what has been read and when it is to be
-- read next.
CREATE TABLE exporter_windows (
    dataset      TEXT NOT NULL,
    start_at     TEXT NOT NULL,
    end_at       TEXT NOT NULL CHECK (end_at > start_at),
    state        TEXT NOT NULL CHECK (state IN ('due', 'running', 'read', 'final', 'failed', 'unstable')),
    "rows"       BIGINT NOT NULL DEFAULT 0, -- at the last reading
    reads        BIGINT NOT NULL DEFAULT 0,
    attempts     BIGINT NOT NULL DEFAULT 0, -- failed or unstable reads since the last good one
    error        TEXT NOT NULL DEFAULT '',  -- of the last failed read
    read_at      TEXT,                      -- when the last good read began; null: never
    read_to      TEXT,                      -- up to where it has been read; null: never
    next_read_at TEXT,                      -- null: never again
    lease_owner  TEXT,
    lease_until  TEXT,                      -- by this machine's clock
    epoch        BIGINT NOT NULL DEFAULT 0, -- of the last lease: a commit under an older one is refused
    PRIMARY KEY (dataset, start_at)
) WITHOUT ROWID;
-- Nearly all windows are final and have no next_read_at: the index holds only what will be due.
CREATE INDEX exporter_windows_due ON exporter_windows (dataset, next_read_at) WHERE next_read_at IS NOT NULL;

-- One row per run: one pass over what was due of a dataset.
CREATE TABLE exporter_runs (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    dataset     TEXT NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('scheduled', 'once', 'backfill')),
    started_at  TEXT NOT NULL,              -- by the exporter's clock
    ended_at    TEXT,                       -- null: it goes on, or its process died
    range_start TEXT,                       -- what a backfill covers
    range_end   TEXT,
    open_ended  BOOLEAN NOT NULL DEFAULT 0, -- no end was asked for
    windows     BIGINT NOT NULL DEFAULT 0,
    rows_read   BIGINT NOT NULL DEFAULT 0,  -- that the API sent
    written     BIGINT NOT NULL DEFAULT 0,  -- new or changed
    unchanged   BIGINT NOT NULL DEFAULT 0,
    rejected    BIGINT NOT NULL DEFAULT 0,
    outcome     TEXT NOT NULL DEFAULT ''    -- done, failed or interrupted
);
CREATE INDEX exporter_runs_dataset ON exporter_runs (dataset, id);

-- Rows that could not be mapped, kept as the API sent them; a row goes when all of its stretch of time has been
-- read again without it.
CREATE TABLE exporter_rejects (
    dataset      TEXT NOT NULL,
    fingerprint  TEXT NOT NULL,             -- SHA-256 of the row as the API sent it
    window_start TEXT NOT NULL,             -- the row lies in its window, or in all that was read when its time is not known
    window_end   TEXT NOT NULL CHECK (window_end > window_start),
    raw          TEXT NOT NULL,
    field        TEXT NOT NULL,             -- column or metric id of the value at fault
    reason       TEXT NOT NULL,
    first_seen   TEXT NOT NULL,
    last_seen    TEXT NOT NULL,
    attempts     BIGINT NOT NULL DEFAULT 1, -- times it was rejected
    PRIMARY KEY (dataset, fingerprint)
);
CREATE INDEX exporter_rejects_window ON exporter_rejects (dataset, window_start);

-- The data dictionary: one row per column of the report tables.
CREATE TABLE exporter_fields (
    dataset     TEXT NOT NULL,
    table_name  TEXT NOT NULL,
    column_name TEXT NOT NULL,
    position    BIGINT NOT NULL,            -- place in the mapping, from 1
    metric_id   TEXT NOT NULL,              -- empty for the exporter's own columns
    title       TEXT NOT NULL,
    type        TEXT NOT NULL,              -- that the mapping gives it
    PRIMARY KEY (dataset, column_name)
);

-- The end of the unbroken run of read windows: it stops at the first window that is not read to its end, and
-- at the first gap. No row, or null: nothing is complete yet.
CREATE VIEW exporter_through AS
SELECT dataset,
       nullif(coalesce(min(stop_at), max(end_at)), min(start_at)) AS through
FROM (
    SELECT dataset, start_at, end_at,
           CASE
               WHEN read_to IS NULL THEN start_at
               WHEN read_to < end_at THEN read_to
               WHEN lead(start_at) OVER (PARTITION BY dataset ORDER BY start_at) > end_at THEN end_at
           END AS stop_at
    FROM exporter_windows
) AS w
GROUP BY dataset;

-- +goose Down
DROP VIEW exporter_through;
DROP TABLE exporter_fields;
DROP TABLE exporter_rejects;
DROP TABLE exporter_runs;
DROP TABLE exporter_windows;
DROP TABLE exporter_datasets;
