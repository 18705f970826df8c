UPDATE exporter_datasets SET planned_from = :from, planned_to = :to WHERE name = :dataset
