-- What does not agree of windows from before $2 can no more be mended: their rows go.
DELETE FROM exporter.reconciliations
WHERE (dataset = $1 OR insight = $1) AND window_start < $2 AND state <> 'agrees'
