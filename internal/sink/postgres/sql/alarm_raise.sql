INSERT INTO exporter.alarms (dataset, alarm, since) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
