SELECT window_start, window_end, +warehouse_value, +api_value, +difference, share, state, checked_at, read_at, insight_read_at, rereads,
       marked_at, again_at, definition
FROM exporter_reconciliations
WHERE dataset = :dataset AND insight = :insight AND again_at <= :by
ORDER BY rereads = 0, again_at, window_start
LIMIT :limit
