-- Commits for which what they have read of a table must stay so until they have written (they change rows with a history, or
-- append what is missing) take turns, to the end of the transaction.
SELECT pg_advisory_xact_lock(hashtextextended($1, 0))
