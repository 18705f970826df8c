-- +goose Up
-- What is known of the source, beside the windows. Local on Citus, as all tables of the exporter.

ALTER TABLE exporter.datasets
    ADD COLUMN problem        text NOT NULL DEFAULT '',
    ADD COLUMN problem_reason text NOT NULL DEFAULT '',
    ADD COLUMN problem_since  timestamptz;
COMMENT ON COLUMN exporter.datasets.problem IS 'What kept the last pass from going on: key refused, source unreachable or failing; empty: nothing';
COMMENT ON COLUMN exporter.datasets.problem_reason IS 'The error that says so';
COMMENT ON COLUMN exporter.datasets.problem_since IS 'Since when it has been so, by the exporter''s clock';

CREATE TABLE exporter.limits (
    dataset text NOT NULL,
    kind    text NOT NULL CHECK (kind IN ('skip', 'range')),
    works   bigint NOT NULL,
    refused bigint NOT NULL CHECK (refused > works),
    met     integer NOT NULL,
    until   timestamptz NOT NULL,
    PRIMARY KEY (dataset, kind)
);
COMMENT ON TABLE exporter.limits IS 'What the API was seen to refuse of a dataset, and so is not asked for. A row may be deleted: what it says is then tried again';
COMMENT ON COLUMN exporter.limits.dataset IS 'exporter.datasets.name';
COMMENT ON COLUMN exporter.limits.kind IS 'skip: rows that a page may lie behind; range: seconds that a request may span';
COMMENT ON COLUMN exporter.limits.works IS 'The most that is asked for';
COMMENT ON COLUMN exporter.limits.refused IS 'The least that was refused';
COMMENT ON COLUMN exporter.limits.met IS 'Times that it was met, each after the one before had run out';
COMMENT ON COLUMN exporter.limits.until IS 'Then more is tried again';

CREATE TABLE exporter.budgets (
    endpoint     text PRIMARY KEY,
    next_slot_at timestamptz NOT NULL DEFAULT 'epoch',
    rate         double precision NOT NULL DEFAULT 1 CHECK (rate > 0 AND rate <= 1),
    lowered      bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE exporter.budgets IS 'The requests that all processes of this warehouse may send to an endpoint together';
COMMENT ON COLUMN exporter.budgets.endpoint IS 'Address of the API';
COMMENT ON COLUMN exporter.budgets.next_slot_at IS 'No process has taken the right to send at or after it, by this server''s clock';
COMMENT ON COLUMN exporter.budgets.rate IS 'Part of source.requests_per_second at which requests are sent now: less than 1 since the API asked for less';
COMMENT ON COLUMN exporter.budgets.lowered IS 'Times that the API asked for less';

-- +goose Down
DROP TABLE exporter.budgets, exporter.limits;
ALTER TABLE exporter.datasets DROP COLUMN problem, DROP COLUMN problem_reason, DROP COLUMN problem_since;
