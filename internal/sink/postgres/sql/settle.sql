-- Of a new session. The server looks after a client that says nothing, so that one that lost its net or its power does
-- not hold its locks for hours; and on Citus 16 kept connections to each worker halve the work.
SELECT set_config('tcp_keepalives_idle', '30', false),
       set_config('tcp_keepalives_interval', '10', false),
       set_config('tcp_keepalives_count', '3', false),
       (SELECT set_config('citus.max_cached_conns_per_worker', '16', false) FROM pg_extension WHERE extname = 'citus')
