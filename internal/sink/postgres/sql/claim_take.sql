UPDATE exporter.windows
SET state = 'running', epoch = $3, lease_owner = $4, lease_until = clock_timestamp() + $5::interval
WHERE dataset = $1 AND start_at = ANY ($2)
