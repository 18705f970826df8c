-- The rows of windows that were read cannot be compared with new ones: to read them again would add them once more. So
-- nothing of these windows is due. Of one that is partly read the rest becomes a window of its own, once it is planned. One
-- that never held still has rows, though it was not read to any time.
UPDATE exporter_windows
SET end_at       = min(end_at, coalesce(read_to, end_at)),
    older_form   = 1,
    state        = 'final',
    attempts     = 0,
    error        = '',
    next_read_at = NULL
WHERE dataset = :dataset AND (read_to > start_at OR state = 'unstable') AND NOT older_form
