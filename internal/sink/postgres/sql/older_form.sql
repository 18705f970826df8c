-- The windows of a range that have rows of an older form.
SELECT min(start_at), max(end_at) FROM exporter.windows WHERE dataset = $1 AND older_form AND end_at > $2 AND start_at < $3
