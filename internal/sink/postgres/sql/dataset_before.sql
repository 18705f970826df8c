-- Whether the dataset had another table, was read again after other delays, and had another config; and the form of its rows.
SELECT (table_schema, table_name) IS DISTINCT FROM ($2::text, $3::text), reread <> $4::interval[], config_hash <> $5, form
FROM exporter.datasets
WHERE name = $1
FOR UPDATE
