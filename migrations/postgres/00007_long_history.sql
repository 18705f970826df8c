-- +goose Up
-- Planning, claiming and the status cost the same however long the history is.

DROP INDEX exporter.windows_due;
-- Nearly all windows are final and have no next_read_at: these hold only what is or will be due, what was never read, and
-- what was read in part.
CREATE INDEX windows_open ON exporter.windows (dataset, start_at, next_read_at) WHERE next_read_at IS NOT NULL;
CREATE INDEX windows_reread ON exporter.windows (dataset, start_at, next_read_at) WHERE next_read_at IS NOT NULL AND read_to >= end_at;
CREATE INDEX windows_unread ON exporter.windows (dataset, start_at) WHERE read_to IS NULL;
CREATE INDEX windows_partly ON exporter.windows (dataset, start_at) WHERE read_to < end_at;
CREATE INDEX windows_troubled ON exporter.windows (dataset, start_at) WHERE attempts > 0;
CREATE INDEX windows_read_at ON exporter.windows (dataset, read_at) WHERE read_at IS NOT NULL;
CREATE INDEX windows_next ON exporter.windows (dataset, next_read_at) WHERE next_read_at IS NOT NULL; -- what was put off
CREATE INDEX windows_beyond ON exporter.windows (dataset, start_at) WHERE read_to > end_at; -- by a clock that was ahead

-- A claim changes no column of an index: with room on the page it writes one tuple and no index entry.
ALTER TABLE exporter.windows SET (fillfactor = 50);

ALTER TABLE exporter.datasets
    ADD COLUMN planned_from    timestamptz,
    ADD COLUMN planned_to      timestamptz,
    ADD COLUMN settled_to      timestamptz,
    ADD COLUMN settled_windows bigint NOT NULL DEFAULT 0,
    ADD COLUMN settled_rows    bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN exporter.datasets.planned_from IS 'From here to planned_to the ledger has no gap: a plan need not look';
COMMENT ON COLUMN exporter.datasets.planned_to IS 'See planned_from; null: not known';
COMMENT ON COLUMN exporter.datasets.settled_to IS 'All windows that start before it are final and counted in settled_windows and settled_rows; null: none is';
COMMENT ON COLUMN exporter.datasets.settled_windows IS 'Windows that start before settled_to';
COMMENT ON COLUMN exporter.datasets.settled_rows IS 'Rows of the windows that start before settled_to';

-- What is kept of the ledger is forgotten when what it is about changes, whoever changes it.
-- +goose StatementBegin
CREATE FUNCTION exporter.windows_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE exporter.datasets
    SET planned_from = NULL, planned_to = NULL, settled_to = NULL, settled_windows = 0, settled_rows = 0
    WHERE planned_to IS NOT NULL OR settled_to IS NOT NULL;
    RETURN NULL;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION exporter.windows_reopened() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE exporter.datasets
    SET settled_to = NULL, settled_windows = 0, settled_rows = 0
    WHERE name = NEW.dataset AND settled_to > NEW.start_at;
    RETURN NULL;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION exporter.windows_entered() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE exporter.datasets AS d
    SET settled_to = NULL, settled_windows = 0, settled_rows = 0
    WHERE d.settled_to > (SELECT min(e.start_at) FROM entered AS e WHERE e.dataset = d.name);
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER gone AFTER DELETE OR TRUNCATE ON exporter.windows FOR EACH STATEMENT EXECUTE FUNCTION exporter.windows_moved();
CREATE TRIGGER moved AFTER UPDATE OF dataset, start_at, end_at ON exporter.windows FOR EACH STATEMENT EXECUTE FUNCTION exporter.windows_moved();
CREATE TRIGGER reopened AFTER UPDATE ON exporter.windows FOR EACH ROW WHEN (OLD.next_read_at IS NULL) EXECUTE FUNCTION exporter.windows_reopened();
CREATE TRIGGER entered AFTER INSERT ON exporter.windows REFERENCING NEW TABLE AS entered FOR EACH STATEMENT EXECUTE FUNCTION exporter.windows_entered();

-- The end of the unbroken run of read windows: it stops at the first window that is not read to its end, and
-- at the first gap. No row, or null: nothing is complete yet. What is planned has no gap, so that only windows outside of
-- it are looked at one by one.
CREATE OR REPLACE VIEW exporter.through AS
SELECT d.name AS dataset,
       nullif(
           coalesce(
               least(
                   (SELECT min(start_at) FROM exporter.windows WHERE dataset = d.name AND read_to IS NULL),
                   (SELECT min(read_to) FROM exporter.windows WHERE dataset = d.name AND read_to < end_at),
                   (SELECT min(end_at) FILTER (WHERE next_start > end_at)
                    FROM (
                        SELECT end_at, lead(start_at) OVER (ORDER BY start_at) AS next_start
                        FROM (
                            SELECT start_at, end_at
                            FROM exporter.windows
                            WHERE dataset = d.name AND start_at < coalesce(d.planned_from, 'infinity')
                            UNION ALL
                            SELECT d.planned_from, d.planned_to WHERE d.planned_to IS NOT NULL
                            UNION ALL
                            SELECT start_at, end_at
                            FROM exporter.windows
                            WHERE dataset = d.name AND start_at >= d.planned_to
                        ) AS stretch
                    ) AS following)
               ),
               (SELECT end_at FROM exporter.windows WHERE dataset = d.name ORDER BY start_at DESC LIMIT 1)
           ),
           (SELECT min(start_at) FROM exporter.windows WHERE dataset = d.name)
       ) AS through
FROM exporter.datasets AS d;

-- +goose Down
CREATE OR REPLACE VIEW exporter.through AS
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
ALTER TABLE exporter.windows RESET (fillfactor);
DROP TRIGGER gone ON exporter.windows;
DROP TRIGGER moved ON exporter.windows;
DROP TRIGGER reopened ON exporter.windows;
DROP TRIGGER entered ON exporter.windows;
DROP FUNCTION exporter.windows_moved, exporter.windows_reopened, exporter.windows_entered;
ALTER TABLE exporter.datasets
    DROP COLUMN planned_from, DROP COLUMN planned_to, DROP COLUMN settled_to, DROP COLUMN settled_windows, DROP COLUMN settled_rows;
DROP INDEX exporter.windows_open, exporter.windows_next, exporter.windows_reread, exporter.windows_unread, exporter.windows_partly,
    exporter.windows_troubled, exporter.windows_read_at, exporter.windows_beyond;
CREATE INDEX windows_due ON exporter.windows (dataset, next_read_at) WHERE next_read_at IS NOT NULL;
