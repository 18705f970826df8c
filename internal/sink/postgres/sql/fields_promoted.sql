UPDATE exporter.fields SET promoted = true WHERE dataset = $1 AND column_name = ANY ($2)
