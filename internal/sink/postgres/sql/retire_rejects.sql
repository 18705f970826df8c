DELETE FROM exporter.rejects WHERE dataset = $1 AND window_end <= $2
