-- The first due window in the order asked for, and the due windows within the longest span from it. What is
-- due: see package sink. $2 now, $3 edge, $4 and $5 within, $6 read before, $7 windows that are locked, $8 order,
-- $9 longest span.
WITH due AS (
    SELECT start_at, end_at, state, rows, reads, attempts, error, read_at, read_to, next_read_at
    FROM exporter.windows
    WHERE dataset = $1
      AND next_read_at <= $2
      AND start_at < $3
      AND (lease_until IS NULL OR lease_until <= clock_timestamp())
      AND (read_to IS NULL OR read_to >= end_at OR read_to < least(end_at, $3))
      AND ($4::timestamptz IS NULL OR end_at > $4)
      AND ($5::timestamptz IS NULL OR start_at < $5)
      AND ($6::timestamptz IS NULL OR read_at IS NULL OR read_at < $6)
      AND start_at <> ALL ($7::timestamptz[])
), first AS (
    SELECT start_at, end_at
    FROM due
    ORDER BY
        CASE
            WHEN $8::text <> 'live first' THEN 0
            WHEN read_to < end_at OR end_at >= $3 THEN 0 -- partly read, or reaches to the edge
            WHEN read_to IS NOT NULL THEN 1              -- to be read again
            ELSE 2                                       -- never read
        END,
        CASE WHEN $8 = 'newest first' THEN start_at END DESC,
        start_at
    LIMIT 1
)
SELECT due.*
FROM due, first
WHERE CASE
          WHEN $8 = 'newest first' THEN due.start_at <= first.start_at AND due.end_at > first.end_at - $9::interval
          ELSE due.start_at >= first.start_at AND due.start_at < first.start_at + $9::interval
      END
   OR due.start_at = first.start_at
ORDER BY due.start_at
