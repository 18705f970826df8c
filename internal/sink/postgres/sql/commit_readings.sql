-- A window that is still running keeps its lease, and only rows and read_to are entered. read_to never moves back. One
-- that is unstable has had no good read: it keeps when and how far it was read. While a window is running, its next_read_at
-- is after the time at which the read began only when a backfill marked it in between: then the mark stands, and the
-- window is to be read again, whole. Windows that are no longer running stay as they are: it is a commit that is
-- tried again, since its answer was lost. (The planner takes the epoch and the state for independent: of both it would expect
-- a single row, and compare each window with each reading. Of a CASE it expects half of the rows.)
UPDATE exporter.windows AS w
SET state = CASE WHEN r.state <> 'running' AND w.next_read_at > r.read_at THEN 'due' ELSE r.state END,
    rows = CASE WHEN r.state = 'running' AND r.rows = 0 AND r.read_to IS NULL THEN w.rows ELSE r.rows END,
    reads = w.reads + CASE WHEN r.state IN ('read', 'final') THEN 1 ELSE 0 END,
    attempts = CASE r.state WHEN 'running' THEN w.attempts WHEN 'unstable' THEN w.attempts + 1 ELSE 0 END,
    error = CASE WHEN r.state = 'running' THEN w.error ELSE r.error END,
    read_at = CASE WHEN r.state IN ('read', 'final') THEN r.read_at ELSE w.read_at END,
    read_to = CASE
        WHEN w.next_read_at > r.read_at AND greatest(r.read_to, w.read_to) < w.end_at THEN NULL
        ELSE greatest(r.read_to, w.read_to)
    END,
    next_read_at = CASE
        WHEN r.state = 'running' THEN w.next_read_at
        WHEN w.next_read_at > r.read_at THEN w.next_read_at
        ELSE r.next_read_at
    END,
    lease_owner = CASE WHEN r.state = 'running' THEN w.lease_owner END,
    lease_until = CASE WHEN r.state = 'running' THEN clock_timestamp() + $3::interval END
FROM unnest($4::timestamptz[], $5::text[], $6::bigint[], $7::timestamptz[], $8::timestamptz[], $9::timestamptz[], $10::text[])
    AS r (start_at, state, rows, read_at, read_to, next_read_at, error)
WHERE w.dataset = $1 AND w.start_at = r.start_at AND CASE WHEN w.epoch = $2 THEN w.state = 'running' END
