INSERT INTO exporter_budgets (endpoint, next_slot_at, rate, lowered)
VALUES (:endpoint, :next_slot_at, :rate, :lowered)
ON CONFLICT (endpoint) DO UPDATE
SET next_slot_at = excluded.next_slot_at, rate = excluded.rate, lowered = excluded.lowered
