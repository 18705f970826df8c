UPDATE exporter_runs
SET windows   = windows + :windows,
    rows_read = rows_read + :rows_read,
    written   = written + :written,
    unchanged = unchanged + :unchanged,
    rejected  = rejected + :rejected
WHERE id = :run
