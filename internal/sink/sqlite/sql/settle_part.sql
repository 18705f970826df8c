-- A part of a window was read. A window that a backfill marked since the read began is to be read whole.
UPDATE exporter_windows
SET "rows"  = CASE WHEN :rows > 0 OR :read_to IS NOT NULL THEN :rows ELSE "rows" END,
    read_to = CASE
                  WHEN next_read_at > :read_at THEN read_to
                  ELSE nullif(max(coalesce(read_to, ''), coalesce(:read_to, '')), '')
              END
WHERE dataset = :dataset AND start_at = :start_at AND state = 'running'
