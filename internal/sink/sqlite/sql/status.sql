SELECT d.name, d.kind, d.table_name, t.through,
       d.settled_rows + (
           SELECT coalesce(sum("rows"), 0) FROM exporter_windows WHERE dataset = d.name AND start_at >= coalesce(d.settled_to, '')
       ),
       d.settled_windows + (
           SELECT count(*) FROM exporter_windows WHERE dataset = d.name AND start_at >= coalesce(d.settled_to, '')
       ),
       (SELECT count(*)
        FROM exporter_windows INDEXED BY exporter_windows_open
        WHERE dataset = d.name AND next_read_at <= :now AND start_at < :now
          AND (read_to IS NULL OR read_to >= end_at OR min(end_at, :now) > read_to)),
       (SELECT count(*)
        FROM exporter_windows INDEXED BY exporter_windows_open
        WHERE dataset = d.name AND next_read_at IS NOT NULL AND lease_until > strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'),
       (SELECT count(*)
        FROM exporter_windows INDEXED BY exporter_windows_open
        WHERE dataset = d.name AND next_read_at IS NOT NULL AND state = 'running'
          AND lease_until <= strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'),
       (SELECT count(*)
        FROM exporter_windows INDEXED BY exporter_windows_troubled
        WHERE dataset = d.name AND attempts > 0 AND state IN ('failed', 'unstable')),
       (SELECT count(*)
        FROM exporter_windows INDEXED BY exporter_windows_open
        WHERE dataset = d.name AND next_read_at IS NOT NULL AND end_at <= :now AND (read_to IS NULL OR read_to < end_at)),
       coalesce((
           SELECT error
           FROM exporter_windows INDEXED BY exporter_windows_troubled
           WHERE dataset = d.name AND attempts > 0 AND state IN ('failed', 'unstable')
           ORDER BY start_at
           LIMIT 1
       ), ''),
       (SELECT count(*) FROM exporter_rejects AS j WHERE j.dataset = d.name),
       (SELECT read_to
        FROM exporter_windows
        WHERE dataset = d.name AND start_at > :recent AND start_at <= :now AND read_to IS NOT NULL
        ORDER BY start_at DESC
        LIMIT 1),
       coalesce(r.id, 0), coalesce(r.dataset, ''), coalesce(r.kind, ''), r.started_at, r.ended_at,
       r.range_start, r.range_end, coalesce(r.open_ended, 0), coalesce(r.windows, 0), coalesce(r.rows_read, 0),
       coalesce(r.written, 0), coalesce(r.unchanged, 0), coalesce(r.rejected, 0), coalesce(r.deleted, 0), coalesce(r.outcome, ''),
       coalesce(r.fetch_ms, 0), coalesce(r.wait_ms, 0), coalesce(r.decode_ms, 0), coalesce(r.compare_ms, 0), coalesce(r.commit_ms, 0),
       d.problem, d.problem_reason, d.problem_since,
       coalesce(s.works, 0), coalesce(s.refused, 0), coalesce(s.met, 0), s.until,
       coalesce(g.works, 0), coalesce(g.refused, 0), coalesce(g.met, 0), g.until,
       c.measured_at, coalesce(c.terms, '')
FROM exporter_datasets AS d
LEFT JOIN exporter_through AS t ON t.dataset = d.name
LEFT JOIN exporter_runs AS r ON r.id = (SELECT max(id) FROM exporter_runs WHERE dataset = d.name)
LEFT JOIN exporter_limits AS s ON s.dataset = d.name AND s.kind = 'skip'
LEFT JOIN exporter_limits AS g ON g.dataset = d.name AND g.kind = 'range'
LEFT JOIN exporter_contracts AS c ON c.dataset = d.name
ORDER BY d.name
