-- The first statement of every write under a lease. The transaction holds the database's write lock already.
SELECT start_at, epoch
FROM exporter_windows
WHERE dataset = :dataset AND start_at >= :first AND start_at <= :last
