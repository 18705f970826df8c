-- +goose Up
ALTER TABLE exporter_runs ADD COLUMN fetch_ms BIGINT NOT NULL DEFAULT 0; -- from sending requests to the last bytes of their replies, summed up
ALTER TABLE exporter_runs ADD COLUMN wait_ms BIGINT NOT NULL DEFAULT 0; -- for the rate limit and for a place among the requests in flight, summed up
ALTER TABLE exporter_runs ADD COLUMN decode_ms BIGINT NOT NULL DEFAULT 0; -- of making typed rows
ALTER TABLE exporter_runs ADD COLUMN compare_ms BIGINT NOT NULL DEFAULT 0; -- of reading and comparing what the table had, within commits
ALTER TABLE exporter_runs ADD COLUMN commit_ms BIGINT NOT NULL DEFAULT 0; -- of commits, without comparing

-- +goose Down
ALTER TABLE exporter_runs DROP COLUMN fetch_ms;
ALTER TABLE exporter_runs DROP COLUMN wait_ms;
ALTER TABLE exporter_runs DROP COLUMN decode_ms;
ALTER TABLE exporter_runs DROP COLUMN compare_ms;
ALTER TABLE exporter_runs DROP COLUMN commit_ms;
