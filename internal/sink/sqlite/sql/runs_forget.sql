-- Of the oldest :most runs of the dataset those that began before :before, but for its last :keep. Backfills stay: one
-- that is unfinished may go on, and a finished one says that it must not.
DELETE FROM exporter_runs
WHERE id IN (
    SELECT id
    FROM (SELECT id, started_at FROM exporter_runs WHERE dataset = :dataset AND kind <> 'backfill' ORDER BY id LIMIT :most)
    WHERE started_at < :before
      AND id < (SELECT min(id) FROM (SELECT id FROM exporter_runs WHERE dataset = :dataset ORDER BY id DESC LIMIT :keep))
)
