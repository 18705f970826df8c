SELECT to_regclass('exporter.fields') IS NOT NULL
