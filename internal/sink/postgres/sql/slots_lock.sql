-- Slots that a crash of the server forgets were hardly used: nobody waits for the disk.
SELECT clock_timestamp(), next_slot_at, rate, lowered, set_config('synchronous_commit', 'off', true)
FROM exporter.budgets
WHERE endpoint = $1
FOR UPDATE
