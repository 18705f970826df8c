-- A field with another metric id or type than before is to be promoted, unless the table is a new one ($8).
INSERT INTO exporter.fields AS f (dataset, table_schema, table_name, column_name, position, metric_id, title, type, transform, promoted)
SELECT $1, $2, $3, c.column_name, c.position, c.metric_id, c.title, c.type, c.transform, $8 OR c.metric_id = ''
FROM unnest($4::text[], $5::text[], $6::text[], $7::text[], $9::text[]) WITH ORDINALITY AS c (column_name, metric_id, title, type, transform, position)
ON CONFLICT (dataset, column_name) DO UPDATE SET
    table_schema = excluded.table_schema,
    table_name = excluded.table_name,
    position = excluded.position,
    metric_id = excluded.metric_id,
    title = excluded.title,
    type = excluded.type,
    transform = excluded.transform,
    promoted = excluded.promoted
        OR f.promoted AND (f.table_schema, f.table_name, f.metric_id, f.type)
            IS NOT DISTINCT FROM (excluded.table_schema, excluded.table_name, excluded.metric_id, excluded.type)
WHERE (f.table_schema, f.table_name, f.position, f.metric_id, f.title, f.type, f.transform, f.promoted OR NOT $8)
    IS DISTINCT FROM (excluded.table_schema, excluded.table_name, excluded.position, excluded.metric_id, excluded.title, excluded.type, excluded.transform, true)
