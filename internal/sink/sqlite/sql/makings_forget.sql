-- A table that is new has no rows of the datasets that filled another one of its name.
UPDATE exporter_fields SET transform = NULL WHERE table_name = :table AND transform IS NOT NULL
