INSERT INTO exporter.reconciliations (dataset, insight, window_start, window_end, warehouse_value, api_value, difference, share,
    state, checked_at, read_at, insight_read_at, rereads, marked_at, again_at, definition)
SELECT $1, $2, r.*
FROM unnest($3::timestamptz[], $4::timestamptz[], $5::text[]::numeric[], $6::text[]::numeric[], $7::text[]::numeric[],
    $8::double precision[], $9::text[], $10::timestamptz[], $11::timestamptz[], $12::timestamptz[], $13::integer[],
    $14::timestamptz[], $15::timestamptz[], $16::text[]) AS r
ORDER BY 3
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
