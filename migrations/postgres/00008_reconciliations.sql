-- +goose Up
CREATE TABLE exporter.reconciliations (
    dataset         text NOT NULL,
    insight         text NOT NULL,
    window_start    timestamptz NOT NULL,
    window_end      timestamptz NOT NULL CHECK (window_end > window_start),
    warehouse_value numeric NOT NULL,
    api_value       numeric NOT NULL,
    difference      numeric NOT NULL,
    share           double precision NOT NULL,
    state           text NOT NULL CHECK (state IN ('agrees', 'differs', 'stands')),
    checked_at      timestamptz NOT NULL,
    read_at         timestamptz NOT NULL,
    insight_read_at timestamptz NOT NULL,
    rereads         integer NOT NULL DEFAULT 0,
    marked_at       timestamptz,
    again_at        timestamptz,
    definition      text NOT NULL,
    PRIMARY KEY (dataset, insight, window_start)
);
-- Nearly all windows agree: these hold only what differs, what is to be read again for it, and what ever was.
CREATE INDEX reconciliations_differing ON exporter.reconciliations (dataset, insight, window_start) WHERE state <> 'agrees';
CREATE INDEX reconciliations_again ON exporter.reconciliations (dataset, insight, again_at) WHERE again_at IS NOT NULL;
CREATE INDEX reconciliations_reread ON exporter.reconciliations (dataset, insight) WHERE rereads > 0;
COMMENT ON TABLE exporter.reconciliations IS 'One row per window of an insight that was compared: what the warehouse has of it beside what the API says';
COMMENT ON COLUMN exporter.reconciliations.dataset IS 'exporter.datasets.name of the report whose rows were counted; the insight itself where its value was compared with the previous value of the next window';
COMMENT ON COLUMN exporter.reconciliations.insight IS 'exporter.datasets.name of the insight';
COMMENT ON COLUMN exporter.reconciliations.window_start IS 'The window holds times from here on';
COMMENT ON COLUMN exporter.reconciliations.window_end IS 'The window holds times before it';
COMMENT ON COLUMN exporter.reconciliations.warehouse_value IS 'Number that the warehouse has of the window';
COMMENT ON COLUMN exporter.reconciliations.api_value IS 'Number that the API says: the insight''s value, or the previous value of the window after it';
COMMENT ON COLUMN exporter.reconciliations.difference IS 'warehouse_value minus api_value';
COMMENT ON COLUMN exporter.reconciliations.share IS 'The difference, without its sign, as a share of the larger of the two';
COMMENT ON COLUMN exporter.reconciliations.state IS 'agrees: no more apart than is allowed; differs: further apart; stands: further apart still after both were read again';
COMMENT ON COLUMN exporter.reconciliations.checked_at IS 'When they were compared';
COMMENT ON COLUMN exporter.reconciliations.read_at IS 'When the oldest of the readings began that the warehouse''s number is of';
COMMENT ON COLUMN exporter.reconciliations.insight_read_at IS 'When the reading began that the API''s number is of';
COMMENT ON COLUMN exporter.reconciliations.rereads IS 'Times that the window was made due since it differs; kept when it agrees again';
COMMENT ON COLUMN exporter.reconciliations.marked_at IS 'When it was made due last';
COMMENT ON COLUMN exporter.reconciliations.again_at IS 'When it is to be made due next, if it differs still; null: no more';
COMMENT ON COLUMN exporter.reconciliations.definition IS 'Hash of the expression and the allowed share that it was compared by';
COMMENT ON COLUMN exporter.alarms.alarm IS 'failing: windows cannot be read; stale: complete data lies too far back; drift:INSIGHT: windows do not agree with an insight, though both were read again';

-- +goose Down
COMMENT ON COLUMN exporter.alarms.alarm IS 'failing: windows cannot be read; stale: complete data lies too far back';
DROP TABLE exporter.reconciliations;
