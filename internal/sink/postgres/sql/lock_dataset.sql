-- Calls that enter, claim or mark windows of one dataset wait for each other.
SELECT name FROM exporter.datasets WHERE name = $1 FOR UPDATE
