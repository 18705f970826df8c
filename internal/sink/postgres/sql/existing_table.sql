-- The table's oid and comment, the columns of its primary key in order, and the first column of each of its
-- indexes. (A partial index serves only some queries, so it does not count.)
SELECT c.oid,
       coalesce(obj_description(c.oid, 'pg_class'), ''),
       ARRAY(
           SELECT a.attname::text
           FROM pg_index AS i
           CROSS JOIN unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (number, place)
           JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.number
           WHERE i.indrelid = c.oid AND i.indisprimary AND k.place <= i.indnkeyatts
           ORDER BY k.place
       ),
       ARRAY(
           SELECT a.attname::text
           FROM pg_index AS i
           JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
           WHERE i.indrelid = c.oid AND i.indisvalid AND i.indpred IS NULL
           ORDER BY i.indexrelid
       )
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')
