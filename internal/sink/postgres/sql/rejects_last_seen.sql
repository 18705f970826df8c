SELECT fingerprint, last_seen FROM exporter.rejects WHERE dataset = $1 AND fingerprint = ANY ($2)
