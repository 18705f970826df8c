-- A table that is new has no rows of the datasets that filled another one of its name.
UPDATE exporter.fields SET transform = NULL WHERE table_schema = $1 AND table_name = $2 AND transform IS NOT NULL
