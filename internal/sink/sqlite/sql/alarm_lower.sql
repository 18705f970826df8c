DELETE FROM exporter_alarms WHERE dataset = :dataset AND alarm = :alarm
