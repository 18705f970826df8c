UPDATE exporter_datasets SET epoch = epoch + 1 WHERE name = :dataset RETURNING epoch
