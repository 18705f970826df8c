-- The rows of an older form are gone from the windows of a range.
UPDATE exporter_windows SET older_form = 0 WHERE dataset = :dataset AND older_form AND end_at > :from AND start_at < :to
