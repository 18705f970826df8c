-- Whether the dataset had another table, and whether it was read again after other delays.
SELECT (table_schema, table_name) IS DISTINCT FROM ($2::text, $3::text), reread <> $4::interval[]
FROM exporter.datasets
WHERE name = $1
FOR UPDATE
