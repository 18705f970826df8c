-- The transaction's time; and plans that use the key's index to read what the table has of a batch. (For thousands of
-- keys at once the planner likes to scan the whole table.)
SELECT now(),
       set_config('enable_seqscan', 'off', true),
       set_config('enable_hashjoin', 'off', true),
       set_config('enable_mergejoin', 'off', true),
       set_config('jit', 'off', true)
