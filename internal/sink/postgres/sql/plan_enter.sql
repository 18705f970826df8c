INSERT INTO exporter.windows (dataset, start_at, end_at, state, next_read_at)
SELECT $1, start_at, end_at, 'due', $4
FROM unnest($2::timestamptz[], $3::timestamptz[]) AS piece (start_at, end_at)
ON CONFLICT (dataset, start_at) DO NOTHING
