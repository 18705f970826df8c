-- What is due, in the sense of package sink. It goes before each of the other claim_ statements. (SQLite does not know how
-- few windows an index holds: it has to be told to use it.)
WITH due AS NOT MATERIALIZED (
    SELECT start_at, end_at, state, "rows", reads, attempts, error, read_at, read_to, next_read_at
    FROM exporter_windows INDEXED BY exporter_windows_open
    WHERE dataset = :dataset AND end_at > :from AND start_at < min(:to, :edge)
      AND start_at >= coalesce((SELECT max(start_at) FROM exporter_windows WHERE dataset = :dataset AND start_at <= :from), :from)
      AND next_read_at <= :now
      AND (lease_until IS NULL OR lease_until <= strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z')
      AND (read_to IS NULL OR read_to >= end_at OR min(end_at, :edge) > read_to)
      AND (read_at IS NULL OR read_at < :read_before)
)
