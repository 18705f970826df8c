-- Whether the dictionary is there and says how values are made: before the first run, or the first of this version, it does not.
SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('exporter.fields') AND attname = 'transform' AND NOT attisdropped)
