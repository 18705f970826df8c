-- As reconciled.sql, and nobody else changes them meanwhile.
SELECT window_start, window_end, warehouse_value::text, api_value::text, difference::text, share, state, checked_at, read_at,
       insight_read_at, rereads, marked_at, again_at, definition
FROM exporter.reconciliations
WHERE dataset = $1 AND insight = $2 AND window_start < $4 AND window_end > $3
ORDER BY window_start
FOR UPDATE
