SELECT DISTINCT i.name
FROM pragma_index_list(:table) AS l, pragma_index_info(l.name) AS i
WHERE i.seqno = 0 AND i.name IS NOT NULL AND NOT l.partial
