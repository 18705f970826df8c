SELECT current_database(),
       split_part(current_setting('server_version'), ' ', 1),
       current_setting('server_version_num')::integer,
       coalesce((SELECT extversion FROM pg_extension WHERE extname = 'citus'), '')
