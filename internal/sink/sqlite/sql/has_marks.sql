-- Whether a table has the column that marks rows as deleted. One of another type is somebody else's.
SELECT EXISTS (SELECT 1 FROM pragma_table_info(:table) WHERE name = '_deleted_at' AND upper(type) = 'TIMESTAMPTZ')
