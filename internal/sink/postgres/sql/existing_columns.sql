SELECT a.attname::text,
       format_type(a.atttypid, a.atttypmod),
       coalesce(col_description(a.attrelid, a.attnum), ''),
       a.attnotnull AND NOT a.atthasdef AND a.attidentity = ''
FROM pg_attribute AS a
WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
