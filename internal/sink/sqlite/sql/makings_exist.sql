-- Whether the dictionary is there and says how values are made: before the first run, or the first of this version, it does not.
SELECT EXISTS (SELECT 1 FROM pragma_table_info('exporter_fields') WHERE name = 'transform')
