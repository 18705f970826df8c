-- As if never read, due whatever the time; a lease from before has another epoch.
UPDATE exporter_windows
SET state        = 'due',
    "rows"       = 0,
    reads        = 0,
    attempts     = 0,
    error        = '',
    read_at      = NULL,
    read_to      = NULL,
    next_read_at = start_at,
    lease_owner  = NULL,
    lease_until  = NULL,
    older_form   = 0,
    epoch        = :epoch
WHERE dataset = :dataset
