-- Roles for the exporter and for those who read. Run it as a superuser in the warehouse's database:
--
--     psql -d warehouse -f roles.sql
--
-- then again after the first "exporter migrate" (or "exporter run"): what readers may see of the exporter's own
-- tables can be granted only once they are there. It may be run any number of times.
-- With another warehouse.schema than samespace: change that name here.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'exporter') THEN
        CREATE ROLE exporter LOGIN; -- give it a password: \password exporter
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'exporter_reader') THEN
        CREATE ROLE exporter_reader NOLOGIN; -- GRANT exporter_reader TO metabase;
    END IF;
    -- TEMPORARY: changed rows are staged in a temporary table.
    EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO exporter', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO exporter_reader', current_database());
END
$$;

-- The exporter makes its tables itself, and so owns them. It does not own the schemas, which it would make too
-- if it had CREATE on the database: it cannot drop them, nor take rights away from others.
CREATE SCHEMA IF NOT EXISTS samespace;
CREATE SCHEMA IF NOT EXISTS exporter;
GRANT USAGE, CREATE ON SCHEMA samespace, exporter TO exporter;

-- Readers: all report tables, those to come included.
GRANT USAGE ON SCHEMA samespace, exporter TO exporter_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA samespace TO exporter_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE exporter IN SCHEMA samespace GRANT SELECT ON TABLES TO exporter_reader;

-- And how fresh they are: the ledger, the runs, the data dictionary. Of exporter.rejects only how many rows do not fit, and
-- where: it keeps them as the API sent them, so also values that a transform (last4, hmac) hides in the report tables. Enough
-- for "exporter status".
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['datasets', 'windows', 'runs', 'fields', 'through', 'limits', 'budgets', 'reconciliations', 'arrivals', 'retentions', 'contracts'] LOOP
        IF to_regclass('exporter.' || name) IS NULL THEN
            RAISE NOTICE 'exporter.% is not there yet: run this again after "exporter migrate"', name;
        ELSE
            EXECUTE format('GRANT SELECT ON exporter.%I TO exporter_reader', name);
        END IF;
    END LOOP;
    IF to_regclass('exporter.rejects') IS NOT NULL THEN
        GRANT SELECT (dataset, window_start, window_end, field, first_seen, last_seen, attempts) ON exporter.rejects TO exporter_reader;
    END IF;
END
$$;
