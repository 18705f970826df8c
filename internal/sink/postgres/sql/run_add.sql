UPDATE exporter.runs
SET windows = windows + $2, rows_read = rows_read + $3, written = written + $4, unchanged = unchanged + $5, rejected = rejected + $6,
    deleted = deleted + $7
WHERE id = $1
