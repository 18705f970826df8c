INSERT INTO exporter.datasets AS d (name, kind, table_schema, table_name, config_hash, reread, form)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (name) DO UPDATE SET
    kind = excluded.kind,
    table_schema = excluded.table_schema,
    table_name = excluded.table_name,
    config_hash = excluded.config_hash,
    reread = excluded.reread,
    form = excluded.form
WHERE (d.kind, d.table_schema, d.table_name, d.config_hash, d.reread, d.form)
    IS DISTINCT FROM (excluded.kind, excluded.table_schema, excluded.table_name, excluded.config_hash, excluded.reread, excluded.form)
