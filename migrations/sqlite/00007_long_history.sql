-- +goose Up
-- Planning, claiming and the status cost the same however long the history is.

DROP INDEX exporter_windows_due;
-- Nearly all windows are final and have no next_read_at: these hold only what is or will be due, what was never read, and
-- what was read in part.
CREATE INDEX exporter_windows_open ON exporter_windows (dataset, start_at, next_read_at) WHERE next_read_at IS NOT NULL;
CREATE INDEX exporter_windows_reread ON exporter_windows (dataset, start_at, next_read_at) WHERE next_read_at IS NOT NULL AND read_to >= end_at;
CREATE INDEX exporter_windows_unread ON exporter_windows (dataset, start_at) WHERE read_to IS NULL;
CREATE INDEX exporter_windows_partly ON exporter_windows (dataset, start_at) WHERE read_to < end_at;
CREATE INDEX exporter_windows_troubled ON exporter_windows (dataset, start_at) WHERE attempts > 0;
CREATE INDEX exporter_windows_read_at ON exporter_windows (dataset, read_at) WHERE read_at IS NOT NULL;
CREATE INDEX exporter_windows_beyond ON exporter_windows (dataset, start_at) WHERE read_to > end_at; -- by a clock that was ahead

-- From planned_from to planned_to the ledger has no gap: a plan need not look.
ALTER TABLE exporter_datasets ADD COLUMN planned_from TEXT;
ALTER TABLE exporter_datasets ADD COLUMN planned_to TEXT;
-- All windows that start before settled_to are final, and counted here.
ALTER TABLE exporter_datasets ADD COLUMN settled_to TEXT;
ALTER TABLE exporter_datasets ADD COLUMN settled_windows BIGINT NOT NULL DEFAULT 0;
ALTER TABLE exporter_datasets ADD COLUMN settled_rows BIGINT NOT NULL DEFAULT 0;

-- What is kept of the ledger is forgotten when what it is about changes, whoever changes it.
-- +goose StatementBegin
CREATE TRIGGER exporter_windows_gone AFTER DELETE ON exporter_windows
BEGIN
    UPDATE exporter_datasets
    SET planned_from = NULL, planned_to = NULL, settled_to = NULL, settled_windows = 0, settled_rows = 0
    WHERE name = OLD.dataset AND (planned_to IS NOT NULL OR settled_to IS NOT NULL);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER exporter_windows_moved AFTER UPDATE OF dataset, start_at, end_at ON exporter_windows
BEGIN
    UPDATE exporter_datasets
    SET planned_from = NULL, planned_to = NULL, settled_to = NULL, settled_windows = 0, settled_rows = 0
    WHERE name IN (OLD.dataset, NEW.dataset) AND (planned_to IS NOT NULL OR settled_to IS NOT NULL);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER exporter_windows_reopened AFTER UPDATE ON exporter_windows WHEN OLD.next_read_at IS NULL
BEGIN
    UPDATE exporter_datasets
    SET settled_to = NULL, settled_windows = 0, settled_rows = 0
    WHERE name = NEW.dataset AND settled_to > NEW.start_at;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER exporter_windows_entered AFTER INSERT ON exporter_windows
BEGIN
    UPDATE exporter_datasets
    SET settled_to = NULL, settled_windows = 0, settled_rows = 0
    WHERE name = NEW.dataset AND settled_to > NEW.start_at;
END;
-- +goose StatementEnd

-- The end of the unbroken run of read windows: it stops at the first window that is not read to its end, and
-- at the first gap. No row, or null: nothing is complete yet. What is planned has no gap, so that only windows outside of
-- it are looked at one by one.
DROP VIEW exporter_through;
CREATE VIEW exporter_through AS
SELECT d.name AS dataset,
       nullif(
           coalesce(
               (SELECT min(at)
                FROM (
                    SELECT (SELECT min(start_at) FROM exporter_windows INDEXED BY exporter_windows_unread WHERE dataset = d.name AND read_to IS NULL) AS at
                    UNION ALL
                    SELECT (SELECT min(read_to) FROM exporter_windows INDEXED BY exporter_windows_partly WHERE dataset = d.name AND read_to < end_at)
                    UNION ALL
                    SELECT (SELECT min(end_at) FILTER (WHERE next_start > end_at)
                            FROM (
                                SELECT end_at, lead(start_at) OVER (ORDER BY start_at) AS next_start
                                FROM (
                                    SELECT start_at, end_at
                                    FROM exporter_windows
                                    WHERE dataset = d.name AND start_at < coalesce(d.planned_from, '9999-12-31T23:59:60')
                                    UNION ALL
                                    SELECT d.planned_from, d.planned_to WHERE d.planned_to IS NOT NULL
                                    UNION ALL
                                    SELECT start_at, end_at
                                    FROM exporter_windows
                                    WHERE dataset = d.name AND start_at >= d.planned_to
                                )
                            ))
                )),
               (SELECT end_at FROM exporter_windows WHERE dataset = d.name ORDER BY start_at DESC LIMIT 1)
           ),
           (SELECT min(start_at) FROM exporter_windows WHERE dataset = d.name)
       ) AS through
FROM exporter_datasets AS d;

-- +goose Down
DROP VIEW exporter_through;
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
DROP TRIGGER exporter_windows_gone;
DROP TRIGGER exporter_windows_moved;
DROP TRIGGER exporter_windows_reopened;
DROP TRIGGER exporter_windows_entered;
ALTER TABLE exporter_datasets DROP COLUMN planned_from;
ALTER TABLE exporter_datasets DROP COLUMN planned_to;
ALTER TABLE exporter_datasets DROP COLUMN settled_to;
ALTER TABLE exporter_datasets DROP COLUMN settled_windows;
ALTER TABLE exporter_datasets DROP COLUMN settled_rows;
DROP INDEX exporter_windows_open;
DROP INDEX exporter_windows_reread;
DROP INDEX exporter_windows_unread;
DROP INDEX exporter_windows_partly;
DROP INDEX exporter_windows_troubled;
DROP INDEX exporter_windows_read_at;
DROP INDEX exporter_windows_beyond;
CREATE INDEX exporter_windows_due ON exporter_windows (dataset, next_read_at) WHERE next_read_at IS NOT NULL;
