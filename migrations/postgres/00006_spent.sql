-- +goose Up
ALTER TABLE exporter.runs ADD COLUMN fetch_ms bigint NOT NULL DEFAULT 0;
ALTER TABLE exporter.runs ADD COLUMN wait_ms bigint NOT NULL DEFAULT 0;
ALTER TABLE exporter.runs ADD COLUMN decode_ms bigint NOT NULL DEFAULT 0;
ALTER TABLE exporter.runs ADD COLUMN compare_ms bigint NOT NULL DEFAULT 0;
ALTER TABLE exporter.runs ADD COLUMN commit_ms bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN exporter.runs.fetch_ms IS 'Milliseconds from sending requests to the last bytes of their replies, summed up over requests, of which several are under way at once';
COMMENT ON COLUMN exporter.runs.wait_ms IS 'Milliseconds that requests waited for the rate limit and for a place among those in flight, summed up';
COMMENT ON COLUMN exporter.runs.decode_ms IS 'Milliseconds of making typed rows';
COMMENT ON COLUMN exporter.runs.compare_ms IS 'Milliseconds of reading and comparing what the table had, within commits';
COMMENT ON COLUMN exporter.runs.commit_ms IS 'Milliseconds of commits, without comparing';

-- +goose Down
ALTER TABLE exporter.runs DROP COLUMN fetch_ms, DROP COLUMN wait_ms, DROP COLUMN decode_ms, DROP COLUMN compare_ms, DROP COLUMN commit_ms;
