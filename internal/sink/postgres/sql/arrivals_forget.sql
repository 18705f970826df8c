DELETE FROM exporter.arrivals WHERE dataset = $1 AND month < $2::date
