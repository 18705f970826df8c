-- Of a new session: only where Citus is installed.
SELECT set_config('citus.max_cached_conns_per_worker', '16', false)
FROM pg_extension
WHERE extname = 'citus'
