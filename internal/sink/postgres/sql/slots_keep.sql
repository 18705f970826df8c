UPDATE exporter.budgets SET next_slot_at = $2, rate = $3, lowered = $4 WHERE endpoint = $1
