-- The windows of a range that have rows of an older form, and the table.
SELECT min(start_at), max(end_at), (SELECT table_name FROM exporter_datasets WHERE name = :dataset)
FROM exporter_windows
WHERE dataset = :dataset AND older_form AND end_at > :from AND start_at < :to
