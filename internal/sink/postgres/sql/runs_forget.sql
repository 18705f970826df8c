-- Of the oldest $4 runs of the dataset those that began before $2, but for its last $3. Backfills stay: one that is
-- unfinished may go on, and a finished one says that it must not.
DELETE FROM exporter.runs
WHERE id IN (
    SELECT id
    FROM (
        SELECT id, started_at FROM exporter.runs WHERE dataset = $1 AND kind <> 'backfill' ORDER BY id LIMIT $4
    ) AS oldest
    WHERE started_at < $2
      AND id < (SELECT min(id) FROM (SELECT id FROM exporter.runs WHERE dataset = $1 ORDER BY id DESC LIMIT $3) AS latest)
)
