INSERT INTO exporter.budgets (endpoint) VALUES ($1) ON CONFLICT (endpoint) DO NOTHING
