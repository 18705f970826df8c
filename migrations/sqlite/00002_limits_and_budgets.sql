-- +goose Up
-- What is known of the source, beside the windows.

ALTER TABLE exporter_datasets ADD COLUMN problem TEXT NOT NULL DEFAULT '';        -- key refused, source unreachable or failing; empty: none
ALTER TABLE exporter_datasets ADD COLUMN problem_reason TEXT NOT NULL DEFAULT ''; -- the error that says so
ALTER TABLE exporter_datasets ADD COLUMN problem_since TEXT;                      -- by the exporter's clock

-- What the API was seen to refuse of a dataset, and so is not asked for. A row may be deleted: what it says is then
-- tried again.
CREATE TABLE exporter_limits (
    dataset TEXT NOT NULL,
    kind    TEXT NOT NULL CHECK (kind IN ('skip', 'range')), -- rows that a page may lie behind; seconds that a request may span
    works   BIGINT NOT NULL,                                 -- the most that is asked for
    refused BIGINT NOT NULL CHECK (refused > works),         -- the least that was refused
    met     BIGINT NOT NULL,                                 -- times that it was met, each after the one before had run out
    until   TEXT NOT NULL,                                   -- then more is tried again
    PRIMARY KEY (dataset, kind)
) WITHOUT ROWID;

-- The requests that all processes of this file may send to an endpoint together.
CREATE TABLE exporter_budgets (
    endpoint     TEXT NOT NULL PRIMARY KEY,
    next_slot_at TEXT,                                                  -- nobody has taken the right to send at or after it
    rate         DOUBLE NOT NULL DEFAULT 1 CHECK (rate > 0 AND rate <= 1), -- part of requests_per_second that is used now
    lowered      BIGINT NOT NULL DEFAULT 0                              -- times that the API asked for less
) WITHOUT ROWID;

-- +goose Down
DROP TABLE exporter_budgets;
DROP TABLE exporter_limits;
ALTER TABLE exporter_datasets DROP COLUMN problem;
ALTER TABLE exporter_datasets DROP COLUMN problem_reason;
ALTER TABLE exporter_datasets DROP COLUMN problem_since;
