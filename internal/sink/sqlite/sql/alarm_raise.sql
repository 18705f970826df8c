INSERT INTO exporter_alarms (dataset, alarm, since) VALUES (:dataset, :alarm, :since) ON CONFLICT DO NOTHING
