DELETE FROM exporter.fields WHERE dataset = $1 AND column_name <> ALL ($2)
