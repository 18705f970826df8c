DELETE FROM exporter.reconciliations WHERE dataset = $1 AND insight <> ALL ($2::text[])
