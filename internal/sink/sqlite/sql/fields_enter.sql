-- A field with another metric id or type than before is to be promoted, unless the table is a new one (:created).
INSERT INTO exporter_fields (dataset, table_name, column_name, position, metric_id, title, type, transform, promoted)
VALUES (:dataset, :table_name, :column_name, :position, :metric_id, :title, :type, :transform, :created OR :metric_id = '')
ON CONFLICT (dataset, column_name) DO UPDATE
SET table_name = excluded.table_name,
    position   = excluded.position,
    metric_id  = excluded.metric_id,
    title      = excluded.title,
    type       = excluded.type,
    transform  = excluded.transform,
    promoted   = excluded.promoted OR promoted AND (table_name, metric_id, type) = (excluded.table_name, excluded.metric_id, excluded.type)
