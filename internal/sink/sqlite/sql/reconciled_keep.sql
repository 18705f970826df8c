INSERT INTO exporter_reconciliations (dataset, insight, window_start, window_end, warehouse_value, api_value, difference, share,
    state, checked_at, read_at, insight_read_at, rereads, marked_at, again_at, definition)
VALUES (:dataset, :insight, :window_start, :window_end, :warehouse_value, :api_value, :difference, :share,
    :state, :checked_at, :read_at, :insight_read_at, :rereads, :marked_at, :again_at, :definition)
ON CONFLICT (dataset, insight, window_start) DO UPDATE SET
    window_end = excluded.window_end,
    warehouse_value = excluded.warehouse_value,
    api_value = excluded.api_value,
    difference = excluded.difference,
    share = excluded.share,
    state = excluded.state,
    checked_at = excluded.checked_at,
    read_at = excluded.read_at,
    insight_read_at = excluded.insight_read_at,
    rereads = excluded.rereads,
    marked_at = excluded.marked_at,
    again_at = excluded.again_at,
    definition = excluded.definition
