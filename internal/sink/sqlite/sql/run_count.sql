UPDATE exporter_runs
SET windows   = windows + :windows,
    rows_read = rows_read + :rows_read,
    written   = written + :written,
    unchanged = unchanged + :unchanged,
    rejected  = rejected + :rejected,
    deleted   = deleted + :deleted
WHERE id = :run
