SELECT name FROM exporter_datasets WHERE table_name = :table COLLATE NOCASE
