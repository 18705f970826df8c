-- Whether a table has the column that marks rows as deleted. One of another type is somebody else's.
SELECT EXISTS (
    SELECT 1
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_attribute AS a ON a.attrelid = c.oid
    WHERE n.nspname = $1 AND c.relname = $2
      AND a.attname = '_deleted_at' AND a.atttypid = 'timestamptz'::regtype AND NOT a.attisdropped
)
