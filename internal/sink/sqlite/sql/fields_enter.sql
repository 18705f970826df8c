INSERT INTO exporter_fields (dataset, table_name, column_name, position, metric_id, title, type)
VALUES (:dataset, :table_name, :column_name, :position, :metric_id, :title, :type)
