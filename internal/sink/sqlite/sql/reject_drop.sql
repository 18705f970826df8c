DELETE FROM exporter_rejects WHERE dataset = :dataset AND fingerprint = :fingerprint
