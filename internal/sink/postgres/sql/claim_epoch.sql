UPDATE exporter.datasets SET epoch = epoch + 1 WHERE name = $1 RETURNING epoch, clock_timestamp()
