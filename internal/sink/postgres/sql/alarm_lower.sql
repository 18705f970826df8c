DELETE FROM exporter.alarms WHERE dataset = $1 AND alarm = $2
