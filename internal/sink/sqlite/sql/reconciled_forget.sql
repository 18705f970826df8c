DELETE FROM exporter_reconciliations
WHERE dataset = :dataset AND insight NOT IN (SELECT value FROM json_each(:insights))
