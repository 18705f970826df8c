SELECT name, upper(type), "notnull" AND dflt_value IS NULL, pk FROM pragma_table_info(:table) ORDER BY cid
