SELECT window_start, window_end, +warehouse_value, +api_value, +difference, share, state, checked_at, read_at, insight_read_at, rereads,
       marked_at, again_at, definition
FROM exporter_reconciliations
WHERE dataset = :dataset AND insight = :insight AND window_start < :to AND window_end > :from
ORDER BY window_start
