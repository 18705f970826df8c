-- What is due, in the sense of package sink. It goes before each of the other claim_ statements that read. $2 now, $3 edge,
-- $4 and $5 within, $6 read before, $7 windows that are locked. (With clock_timestamp, which is volatile, it would be read whole.)
WITH due AS NOT MATERIALIZED (
    SELECT start_at, end_at, state, rows, reads, attempts, error, read_at, read_to, next_read_at
    FROM exporter.windows
    WHERE dataset = $1
      AND next_read_at <= $2
      AND start_at < least($3::timestamptz, $5::timestamptz)
      AND start_at >= coalesce((SELECT max(start_at) FROM exporter.windows WHERE dataset = $1 AND start_at <= $4), $4, '-infinity')
      AND ($4::timestamptz IS NULL OR end_at > $4)
      AND (lease_until IS NULL OR lease_until <= statement_timestamp())
      AND (read_to IS NULL OR read_to >= end_at OR read_to < least(end_at, $3))
      AND ($6::timestamptz IS NULL OR read_at IS NULL OR read_at < $6)
      AND start_at <> ALL ($7::timestamptz[])
)
