-- The rows of an older form are gone from the windows of a range: they are as if never read, also to a backfill that goes on.
UPDATE exporter_windows
SET older_form = 0, state = 'due', read_at = NULL, read_to = NULL, next_read_at = start_at
WHERE dataset = :dataset AND older_form AND end_at > :from AND start_at < :to
