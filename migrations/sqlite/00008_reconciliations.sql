-- +goose Up
CREATE TABLE exporter_reconciliations ( -- windows of insights that were compared: what the warehouse has beside what the API says
    dataset         TEXT NOT NULL, -- the report whose rows were counted; the insight itself where previous values were compared
    insight         TEXT NOT NULL,
    window_start    TEXT NOT NULL,
    window_end      TEXT NOT NULL,
    warehouse_value NUMERIC NOT NULL,
    api_value       NUMERIC NOT NULL, -- the insight's value, or the previous value of the window after it
    difference      NUMERIC NOT NULL, -- warehouse_value minus api_value
    share           DOUBLE NOT NULL, -- the difference as a share of the larger of the two
    state           TEXT NOT NULL CHECK (state IN ('agrees', 'differs', 'stands')), -- stands: differs still after both were read again
    checked_at      TEXT NOT NULL,
    read_at         TEXT NOT NULL, -- when the oldest of the readings began that the warehouse's number is of
    insight_read_at TEXT NOT NULL, -- when the reading began that the API's number is of
    rereads         BIGINT NOT NULL DEFAULT 0, -- times that the window was made due since it differs; kept when it agrees again
    marked_at       TEXT, -- when it was made due last
    again_at        TEXT, -- when it is to be made due next, if it differs still; null: no more
    definition      TEXT NOT NULL, -- hash of the expression and the allowed share that it was compared by
    PRIMARY KEY (dataset, insight, window_start)
);
-- Nearly all windows agree: these hold only what differs, what is to be read again for it, and what ever was.
CREATE INDEX exporter_reconciliations_differing ON exporter_reconciliations (dataset, insight, window_start) WHERE state <> 'agrees';
CREATE INDEX exporter_reconciliations_again ON exporter_reconciliations (dataset, insight, again_at) WHERE again_at IS NOT NULL;
CREATE INDEX exporter_reconciliations_reread ON exporter_reconciliations (dataset, insight) WHERE rereads > 0;

-- +goose Down
DROP TABLE exporter_reconciliations;
