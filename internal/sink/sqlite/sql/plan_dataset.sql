SELECT planned_from, planned_to FROM exporter_datasets WHERE name = :dataset
