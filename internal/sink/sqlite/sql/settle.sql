-- A window was read. While it is running, next_read_at lies after the time at which the read began only when
-- a backfill marked the window in between: then it is to be read again, and whole.
UPDATE exporter_windows
SET state        = CASE WHEN next_read_at > :read_at THEN 'due' ELSE :state END,
    "rows"       = :rows,
    reads        = CASE WHEN :good THEN reads + 1 ELSE reads END,
    attempts     = CASE WHEN :good THEN 0 ELSE attempts + 1 END,
    error        = :error,
    read_at      = CASE WHEN :good THEN :read_at ELSE read_at END,
    read_to      = CASE
                       WHEN next_read_at > :read_at AND coalesce(:read_to, '') < end_at AND coalesce(read_to, '') < end_at THEN NULL
                       ELSE nullif(max(coalesce(read_to, ''), coalesce(:read_to, '')), '')
                   END,
    next_read_at = CASE WHEN next_read_at > :read_at THEN next_read_at ELSE :next_read_at END,
    lease_owner  = NULL,
    lease_until  = NULL
WHERE dataset = :dataset AND start_at = :start_at AND state = 'running'
