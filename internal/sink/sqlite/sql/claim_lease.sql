UPDATE exporter_windows
SET state       = 'running',
    lease_owner = :owner,
    lease_until = strftime('%Y-%m-%dT%H:%M:%f', 'now', :ttl) || '000Z',
    epoch       = :epoch
WHERE dataset = :dataset AND start_at >= :first AND start_at <= :last
