SELECT count(*) FILTER (WHERE state = 'agrees'), count(*) FILTER (WHERE state <> 'agrees')
FROM exporter_reconciliations
WHERE dataset = :dataset AND insight = :insight AND rereads > 0 AND definition = :definition
