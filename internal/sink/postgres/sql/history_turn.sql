-- Commits that may change rows of a table with a history take turns, to the end of the transaction: what one of them has
-- read of the table is what it replaces.
SELECT pg_advisory_xact_lock(hashtextextended($1, 0))
