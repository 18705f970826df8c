-- Processes that prepare one dataset, or datasets of one table, take turns, to the end of the transaction. All take the locks of
-- those names in one order.
SELECT pg_advisory_xact_lock(key)
FROM (SELECT DISTINCT hashtextextended('prepare of ' || name, 0) AS key FROM unnest($1::text[]) AS name ORDER BY key) AS keys
