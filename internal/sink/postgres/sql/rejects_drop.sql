DELETE FROM exporter.rejects WHERE dataset = $1 AND fingerprint = ANY ($2)
