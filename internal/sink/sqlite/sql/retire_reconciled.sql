-- What does not agree of windows from before :before can no more be mended: their rows go.
DELETE FROM exporter_reconciliations
WHERE (dataset = :dataset OR insight = :dataset) AND window_start < :before AND state <> 'agrees'
