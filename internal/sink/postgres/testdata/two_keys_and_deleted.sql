CREATE TABLE "odd ""schema"""."Calls" (
    "call_id" text,
    "started_at" timestamp with time zone,
    "a ""quoted"" name" numeric NOT NULL,
    "day" date NOT NULL,
    "tags" jsonb,
    "_window_start" timestamp with time zone NOT NULL,
    "_exported_at" timestamp with time zone NOT NULL,
    "_extra" jsonb,
    "_deleted_at" timestamp with time zone,
    PRIMARY KEY ("a ""quoted"" name", "day")
);

COMMENT ON COLUMN "odd ""schema"""."Calls"."call_id" IS 'Call ID (5ef594e0eba06ff9adbcfc07)';

COMMENT ON COLUMN "odd ""schema"""."Calls"."started_at" IS E'The call''s "start" \\ time (5e6f5fc04767c68072ee031c)';

COMMENT ON COLUMN "odd ""schema"""."Calls"."a ""quoted"" name" IS 'x';

COMMENT ON COLUMN "odd ""schema"""."Calls"."day" IS 'd';

COMMENT ON COLUMN "odd ""schema"""."Calls"."tags" IS 't';

COMMENT ON COLUMN "odd ""schema"""."Calls"."_window_start" IS 'Start of the window that the row falls in';

COMMENT ON COLUMN "odd ""schema"""."Calls"."_exported_at" IS 'When this version of the row was written';

COMMENT ON COLUMN "odd ""schema"""."Calls"."_extra" IS 'Values that the mapping does not name, by metric id';

COMMENT ON COLUMN "odd ""schema"""."Calls"."_deleted_at" IS 'When the row was found gone from the source';

CREATE INDEX ON "odd ""schema"""."Calls" ("started_at");

ALTER TABLE "odd ""schema"""."Calls" ADD COLUMN "a ""quoted"" name" numeric;

ALTER TABLE "odd ""schema"""."Calls" ALTER COLUMN "a ""quoted"" name" TYPE numeric;

SELECT create_distributed_table('"odd ""schema"""."Calls"', 'a "quoted" name');

SELECT t."call_id", t."started_at", t."a ""quoted"" name", t."day", t."tags", t."_extra", t."_deleted_at" IS NOT NULL
FROM "odd ""schema"""."Calls" AS t
WHERE t."started_at" >= $1 AND t."started_at" <= $2
LIMIT $3;

SELECT t."call_id", t."started_at", t."a ""quoted"" name", t."day", t."tags", t."_window_start", t."_exported_at", t."_extra", t."_deleted_at" IS NOT NULL
FROM "odd ""schema"""."Calls" AS t
WHERE t."started_at" >= $1 AND t."started_at" < $2;

SELECT t."a ""quoted"" name", t."day", t."started_at"
FROM "odd ""schema"""."Calls" AS t
WHERE t."started_at" >= $1 AND t."started_at" < $2 AND t."_exported_at" <= $3 AND t."_deleted_at" IS NULL;

WITH gone AS MATERIALIZED (
    SELECT * FROM unnest($5, $6) AS k (k1, k2)
), marked AS (
    UPDATE "odd ""schema"""."Calls" AS t
    SET "_deleted_at" = $4, "_exported_at" = $4
    FROM gone
    WHERE t."a ""quoted"" name" = gone.k1 AND t."day" = gone.k2
        AND t."started_at" >= $1 AND t."started_at" < $2 AND t."_exported_at" <= $3 AND t."_deleted_at" IS NULL
    RETURNING 1
)
SELECT count(*) FROM marked;

SELECT t."call_id", t."started_at", t."a ""quoted"" name", t."day", t."tags", t."_window_start", t."_exported_at", t."_extra", t."_deleted_at" IS NOT NULL
FROM unnest($1, $2) AS k (k1, k2)
JOIN "odd ""schema"""."Calls" AS t ON t."a ""quoted"" name" = k.k1 AND t."day" = k.k2;

SELECT t."call_id", t."started_at", t."a ""quoted"" name", t."day", t."tags", t."_window_start", t."_exported_at", t."_extra", t."_deleted_at" IS NOT NULL
FROM "odd ""schema"""."Calls" AS t
ORDER BY t."a ""quoted"" name", t."day"
OFFSET $1 LIMIT 1;

SELECT t."call_id", t."started_at", t."a ""quoted"" name", t."day", t."tags", t."_window_start", t."_exported_at", t."_extra", t."_deleted_at" IS NOT NULL
FROM "odd ""schema"""."Calls" AS t
WHERE (t."a ""quoted"" name", t."day") > ($2, $3)
ORDER BY t."a ""quoted"" name", t."day"
OFFSET $1 LIMIT 1;

SELECT t."call_id", t."started_at", t."a ""quoted"" name", t."day", t."tags", t."_window_start", t."_exported_at", t."_extra", t."_deleted_at" IS NOT NULL
FROM "odd ""schema"""."Calls" AS t
WHERE t."_extra" ?| $1;

SELECT t."call_id", t."started_at", t."a ""quoted"" name", t."day", t."tags", t."_window_start", t."_exported_at", t."_extra", t."_deleted_at" IS NOT NULL
FROM "odd ""schema"""."Calls" AS t
WHERE t."_extra" ?| $1
  AND (t."a ""quoted"" name", t."day") > ($2, $3)
  AND (t."a ""quoted"" name", t."day") <= ($4, $5);

WITH promoted AS MATERIALIZED (
    SELECT * FROM unnest($2, $3, $4, $5, $6) AS p (_was, _is, k1, k2, c1)
), written AS (
    UPDATE "odd ""schema"""."Calls" AS t
    SET "tags" = p.c1, "_extra" = p._is, "_exported_at" = $1
    FROM promoted AS p
    WHERE t."a ""quoted"" name" = p.k1 AND t."day" = p.k2 AND t."_extra" = p._was
    RETURNING 1
)
SELECT count(*) FROM written;

CREATE TABLE "odd ""schema"""."Calls_history" (
    "call_id" text,
    "started_at" timestamp with time zone,
    "a ""quoted"" name" numeric NOT NULL,
    "day" date NOT NULL,
    "tags" jsonb,
    "_valid_from" timestamp with time zone,
    "_valid_to" timestamp with time zone NOT NULL,
    "_changed" jsonb,
    "_cause" text,
    "_run_id" bigint,
    "_window_start" timestamp with time zone NOT NULL,
    "_exported_at" timestamp with time zone NOT NULL,
    "_extra" jsonb,
    "_deleted_at" timestamp with time zone,
    PRIMARY KEY ("a ""quoted"" name", "day", "_valid_to")
);

WITH replaced AS MATERIALIZED (
    SELECT * FROM unnest($4, $5, $6) AS r (_changes, k1, k2)
)
INSERT INTO "odd ""schema"""."Calls_history" ("call_id", "started_at", "a ""quoted"" name", "day", "tags", "_window_start", "_exported_at", "_extra", "_deleted_at", "_valid_from", "_valid_to", "_changed", "_cause", "_run_id")
SELECT t."call_id", t."started_at", t."a ""quoted"" name", t."day", t."tags", t."_window_start", t."_exported_at", t."_extra", t."_deleted_at", t."_exported_at", $1::timestamptz, r._changes, $2::text, $3::bigint
FROM replaced AS r
JOIN "odd ""schema"""."Calls" AS t ON t."a ""quoted"" name" = r.k1 AND t."day" = r.k2;

CREATE OR REPLACE FUNCTION "odd ""schema"""."Calls_as_of"(timestamp with time zone) RETURNS SETOF "odd ""schema"""."Calls" LANGUAGE sql STABLE PARALLEL SAFE AS 'SELECT t."call_id", t."started_at", t."a ""quoted"" name", t."day", t."tags", t."_window_start", t."_exported_at", t."_extra", t."_deleted_at", t."of somebody else"
FROM "odd ""schema"""."Calls" AS t
WHERE t."_exported_at" <= $1
UNION ALL
SELECT h."call_id", h."started_at", h."a ""quoted"" name", h."day", h."tags", h."_window_start", h."_exported_at", h."_extra", h."_deleted_at", NULL::money
FROM "odd ""schema"""."Calls_history" AS h
WHERE h."_valid_from" <= $1 AND h."_valid_to" > $1';

COMMENT ON FUNCTION "odd ""schema"""."Calls_as_of"(timestamp with time zone) IS 'Rows of Calls as they were at a time';

CREATE OR REPLACE FUNCTION "odd ""schema"""."Calls_versions"() RETURNS SETOF "odd ""schema"""."Calls_history" LANGUAGE sql STABLE PARALLEL SAFE AS 'SELECT h."call_id", h."started_at", h."a ""quoted"" name", h."day", h."tags", h."_valid_from", h."_valid_to", h."_changed", h."_cause", h."_run_id", h."_window_start", h."_exported_at", h."_extra", h."_deleted_at"
FROM "odd ""schema"""."Calls_history" AS h
UNION ALL
SELECT t."call_id", t."started_at", t."a ""quoted"" name", t."day", t."tags", t."_exported_at", NULL::timestamp with time zone, NULL::jsonb, NULL::text, NULL::bigint, t."_window_start", t."_exported_at", t."_extra", t."_deleted_at"
FROM "odd ""schema"""."Calls" AS t';

COMMENT ON FUNCTION "odd ""schema"""."Calls_versions"() IS 'All versions of the rows of Calls: those that are valid now have no _valid_to';

SELECT t."call_id", t."started_at", t."a ""quoted"" name", t."day", t."tags", t."_extra", t."_deleted_at" IS NOT NULL
FROM unnest($1, $2) AS k (k1, k2)
JOIN "odd ""schema"""."Calls" AS t ON t."a ""quoted"" name" = k.k1 AND t."day" = k.k2;

SELECT t."call_id", t."started_at", t."a ""quoted"" name", t."day", t."tags", t."_extra", t."_deleted_at" IS NOT NULL
FROM "odd ""schema"""."Calls" AS t
LIMIT 0;

COPY "odd ""schema"""."Calls" ("call_id", "started_at", "a ""quoted"" name", "day", "tags", "_window_start", "_exported_at", "_extra") FROM STDIN (FORMAT binary);

CREATE TEMPORARY TABLE pg_temp.exporter_stage (
    "call_id" text,
    "started_at" timestamp with time zone,
    "a ""quoted"" name" numeric,
    "day" date,
    "tags" jsonb,
    "_window_start" timestamp with time zone,
    "_exported_at" timestamp with time zone,
    "_extra" jsonb,
    "_place" bigint
) ON COMMIT DROP;

COPY pg_temp.exporter_stage ("call_id", "started_at", "a ""quoted"" name", "day", "tags", "_window_start", "_exported_at", "_extra", "_place") FROM STDIN (FORMAT binary);

WITH written AS (
    INSERT INTO "odd ""schema"""."Calls" AS t ("call_id", "started_at", "a ""quoted"" name", "day", "tags", "_window_start", "_exported_at", "_extra")
    SELECT "call_id", "started_at", "a ""quoted"" name", "day", "tags", "_window_start", "_exported_at", "_extra"
    FROM pg_temp.exporter_stage
    ORDER BY "_place"
    ON CONFLICT ("a ""quoted"" name", "day") DO UPDATE SET
        "call_id" = excluded."call_id",
        "started_at" = excluded."started_at",
        "tags" = excluded."tags",
        "_window_start" = excluded."_window_start",
        "_exported_at" = excluded."_exported_at",
        "_extra" = excluded."_extra",
        "_deleted_at" = NULL
    WHERE ((t."call_id", t."started_at", t."tags", t."_extra") IS DISTINCT FROM (excluded."call_id", excluded."started_at", excluded."tags", excluded."_extra")
            OR t."_deleted_at" IS NOT NULL)
        AND (t."_exported_at" > $1 AND t."_exported_at" < $2 AND t."_exported_at" <> ALL ($3)) IS NOT TRUE
    RETURNING 1
)
SELECT count(*) FROM written;
