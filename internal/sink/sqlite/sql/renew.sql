UPDATE exporter_windows
SET lease_until = strftime('%Y-%m-%dT%H:%M:%f', 'now', :ttl) || '000Z'
WHERE dataset = :dataset AND start_at >= :first AND start_at <= :last AND epoch = :epoch AND state = 'running'
