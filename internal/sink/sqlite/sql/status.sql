SELECT d.name, d.kind, d.table_name, t.through,
       coalesce(w."rows", 0), coalesce(w.windows, 0), coalesce(w.due, 0), coalesce(w.running, 0), coalesce(w.failed, 0),
       coalesce(f.error, ''),
       (SELECT count(*) FROM exporter_rejects AS j WHERE j.dataset = d.name),
       w.last_read_at,
       coalesce(r.id, 0), coalesce(r.dataset, ''), coalesce(r.kind, ''), r.started_at, r.ended_at,
       r.range_start, r.range_end, coalesce(r.open_ended, 0), coalesce(r.windows, 0), coalesce(r.rows_read, 0),
       coalesce(r.written, 0), coalesce(r.unchanged, 0), coalesce(r.rejected, 0), coalesce(r.deleted, 0), coalesce(r.outcome, '')
FROM exporter_datasets AS d
LEFT JOIN exporter_through AS t ON t.dataset = d.name
LEFT JOIN (
    SELECT dataset,
           sum("rows") AS "rows",
           count(*) AS windows,
           count(*) FILTER (WHERE next_read_at <= :now AND start_at < :now
               AND (read_to IS NULL OR read_to >= end_at OR min(end_at, :now) > read_to)) AS due,
           count(*) FILTER (WHERE lease_until > strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z') AS running,
           count(*) FILTER (WHERE state IN ('failed', 'unstable')) AS failed,
           min(start_at) FILTER (WHERE state IN ('failed', 'unstable')) AS first_failed,
           max(read_at) AS last_read_at
    FROM exporter_windows
    GROUP BY dataset
) AS w ON w.dataset = d.name
LEFT JOIN exporter_windows AS f ON f.dataset = d.name AND f.start_at = w.first_failed
LEFT JOIN exporter_runs AS r ON r.id = (SELECT max(id) FROM exporter_runs WHERE dataset = d.name)
ORDER BY d.name
