CREATE TABLE "samespace"."calls" (
    "call_id" text NOT NULL,
    "started_at" timestamp with time zone,
    "a ""quoted"" name" numeric,
    "day" date,
    "tags" jsonb,
    "_window_start" timestamp with time zone NOT NULL,
    "_exported_at" timestamp with time zone NOT NULL,
    "_extra" jsonb,
    PRIMARY KEY ("call_id")
);

COMMENT ON TABLE "samespace"."calls" IS 'Calls';

COMMENT ON COLUMN "samespace"."calls"."call_id" IS 'Call ID (5ef594e0eba06ff9adbcfc07)';

COMMENT ON COLUMN "samespace"."calls"."started_at" IS E'The call''s "start" \\ time (5e6f5fc04767c68072ee031c)';

COMMENT ON COLUMN "samespace"."calls"."a ""quoted"" name" IS 'x';

COMMENT ON COLUMN "samespace"."calls"."day" IS 'd';

COMMENT ON COLUMN "samespace"."calls"."tags" IS 't';

COMMENT ON COLUMN "samespace"."calls"."_window_start" IS 'Start of the window that the row falls in';

COMMENT ON COLUMN "samespace"."calls"."_exported_at" IS 'When this version of the row was written';

COMMENT ON COLUMN "samespace"."calls"."_extra" IS 'Values that the mapping does not name, by metric id';

CREATE INDEX ON "samespace"."calls" ("started_at");

ALTER TABLE "samespace"."calls" ADD COLUMN "a ""quoted"" name" numeric;

ALTER TABLE "samespace"."calls" ALTER COLUMN "a ""quoted"" name" TYPE numeric;

SELECT create_distributed_table('"samespace"."calls"', 'call_id');

SELECT t."call_id", t."started_at", t."a ""quoted"" name", t."day", t."tags", t."_extra"
FROM "samespace"."calls" AS t
WHERE t."started_at" >= $1 AND t."started_at" <= $2
LIMIT $3;

SELECT t."call_id", t."started_at", t."a ""quoted"" name", t."day", t."tags", t."_window_start", t."_exported_at", t."_extra", false
FROM "samespace"."calls" AS t
WHERE t."started_at" >= $1 AND t."started_at" < $2;

SELECT t."call_id", t."started_at", t."a ""quoted"" name", t."day", t."tags", t."_window_start", t."_exported_at", t."_extra", false
FROM "samespace"."calls" AS t
WHERE t."call_id" = ANY ($1);

SELECT t."call_id", t."started_at", t."a ""quoted"" name", t."day", t."tags", t."_window_start", t."_exported_at", t."_extra", false
FROM "samespace"."calls" AS t
ORDER BY t."call_id"
OFFSET $1 LIMIT 1;

SELECT t."call_id", t."started_at", t."a ""quoted"" name", t."day", t."tags", t."_window_start", t."_exported_at", t."_extra", false
FROM "samespace"."calls" AS t
WHERE (t."call_id") > ($2)
ORDER BY t."call_id"
OFFSET $1 LIMIT 1;

SELECT t."call_id", t."started_at", t."a ""quoted"" name", t."day", t."tags", t."_window_start", t."_exported_at", t."_extra", false
FROM "samespace"."calls" AS t
WHERE t."_extra" ?| $1;

SELECT t."call_id", t."started_at", t."a ""quoted"" name", t."day", t."tags", t."_window_start", t."_exported_at", t."_extra", false
FROM "samespace"."calls" AS t
WHERE t."_extra" ?| $1
  AND (t."call_id") > ($2)
  AND (t."call_id") <= ($3);

WITH promoted AS MATERIALIZED (
    SELECT * FROM unnest($2, $3, $4, $5) AS p (_was, _is, k1, c1)
), written AS (
    UPDATE "samespace"."calls" AS t
    SET "tags" = p.c1, "_extra" = p._is, "_exported_at" = $1
    FROM promoted AS p
    WHERE t."call_id" = p.k1 AND t."_extra" = p._was
    RETURNING 1
)
SELECT count(*) FROM written;

SELECT t."call_id", t."started_at", t."a ""quoted"" name", t."day", t."tags", t."_extra"
FROM "samespace"."calls" AS t
WHERE t."call_id" = ANY ($1);

SELECT t."call_id", t."started_at", t."a ""quoted"" name", t."day", t."tags", t."_extra"
FROM "samespace"."calls" AS t
LIMIT 0;

COPY "samespace"."calls" ("call_id", "started_at", "a ""quoted"" name", "day", "tags", "_window_start", "_exported_at", "_extra") FROM STDIN (FORMAT binary);

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
    INSERT INTO "samespace"."calls" AS t ("call_id", "started_at", "a ""quoted"" name", "day", "tags", "_window_start", "_exported_at", "_extra")
    SELECT "call_id", "started_at", "a ""quoted"" name", "day", "tags", "_window_start", "_exported_at", "_extra"
    FROM pg_temp.exporter_stage
    ORDER BY "_place"
    ON CONFLICT ("call_id") DO UPDATE SET
        "started_at" = excluded."started_at",
        "a ""quoted"" name" = excluded."a ""quoted"" name",
        "day" = excluded."day",
        "tags" = excluded."tags",
        "_window_start" = excluded."_window_start",
        "_exported_at" = excluded."_exported_at",
        "_extra" = excluded."_extra"
    WHERE ((t."started_at", t."a ""quoted"" name", t."day", t."tags", t."_extra") IS DISTINCT FROM (excluded."started_at", excluded."a ""quoted"" name", excluded."day", excluded."tags", excluded."_extra"))
        AND (t."_exported_at" > $1 AND t."_exported_at" < $2 AND t."_exported_at" <> ALL ($3)) IS NOT TRUE
    RETURNING 1
)
SELECT count(*) FROM written;
