-- Those that are to be read again by a time. Who is at it already leaves them alone.
SELECT window_start, window_end, warehouse_value::text, api_value::text, difference::text, share, state, checked_at, read_at,
       insight_read_at, rereads, marked_at, again_at, definition
FROM exporter.reconciliations
WHERE dataset = $1 AND insight = $2 AND again_at <= $3
ORDER BY rereads = 0, again_at, window_start
LIMIT $4
FOR UPDATE SKIP LOCKED
