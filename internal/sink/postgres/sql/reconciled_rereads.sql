SELECT count(*) FILTER (WHERE state = 'agrees'), count(*) FILTER (WHERE state <> 'agrees')
FROM exporter.reconciliations
WHERE dataset = $1 AND insight = $2 AND rereads > 0 AND definition = $3
