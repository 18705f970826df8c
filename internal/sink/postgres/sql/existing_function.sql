-- A function's body, and whether it returns rows of the table $3.
SELECT p.prosrc, p.prorettype IS NOT DISTINCT FROM (
    SELECT c.reltype FROM pg_class AS c WHERE c.relnamespace = n.oid AND c.relname = $3
)
FROM pg_proc AS p
JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE n.nspname = $1 AND p.proname = $2 AND pg_get_function_identity_arguments(p.oid) = $4
