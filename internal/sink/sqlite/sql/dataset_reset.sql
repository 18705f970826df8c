-- A new epoch, and nothing is complete any more.
UPDATE exporter_datasets SET epoch = epoch + 1, through = NULL WHERE name = :dataset RETURNING epoch
