CREATE TABLE "notes" (
    "id" BIGINT NOT NULL,
    "at" TIMESTAMPTZ,
    "note" TEXT NOT NULL,
    "amount" NUMERIC,
    "score" BIGINT,
    "_window_start" TIMESTAMPTZ NOT NULL,
    "_exported_at" TIMESTAMPTZ NOT NULL,
    "_extra" JSON TEXT,
    "_deleted_at" TIMESTAMPTZ,
    PRIMARY KEY ("id", "note")
);

ALTER TABLE "notes" ADD COLUMN "ex""tra" JSON TEXT;

CREATE INDEX "notes_at_idx" ON "notes" ("at");

INSERT OR FAIL INTO "notes" ("_exported_at", "id", "at", "note", "amount", "score", "_extra", "_deleted_at", "_window_start") VALUES (?1, ?, ?, ?, ?, ?, ?, ?, ?), (?1, ?, ?, ?, ?, ?, ?, ?, ?);

SELECT k.column1, +t."_exported_at", +t."id", +t."at", +t."note", +t."amount", +t."score", +t."_extra", +t."_deleted_at" FROM (VALUES (?, ?, ?), (?, ?, ?)) AS k CROSS JOIN "notes" AS t ON t."id" = k.column2 AND t."note" = k.column3;

UPDATE "notes" SET "at" = ?2, "amount" = ?4, "score" = ?5, "_extra" = ?6, "_deleted_at" = ?7, "_window_start" = ?8, "_exported_at" = ?9 WHERE "id" = ?1 AND "note" = ?3;

SELECT EXISTS (SELECT 1 FROM "notes" WHERE "id" BETWEEN ? AND ?);

SELECT +"id", +"note", +"at" FROM "notes" WHERE "at" >= ?1 AND "at" < ?2 AND "_exported_at" <= ?3 AND "_deleted_at" IS NULL;

UPDATE "notes" SET "_deleted_at" = ?3, "_exported_at" = ?3 WHERE "id" = ?1 AND "note" = ?2;

INSERT INTO "notes_history" ("id", "at", "note", "amount", "score", "_window_start", "_exported_at", "_extra", "_deleted_at", "_valid_from", "_valid_to", "_changed", "_cause", "_run_id") SELECT "id", "at", "note", "amount", "score", "_window_start", "_exported_at", "_extra", "_deleted_at", "_exported_at", ?1, ?2, ?3, ?4 FROM "notes" WHERE "id" = ?5 AND "note" = ?6;

CREATE VIEW "notes_versions" AS SELECT h."id", h."at", h."note", h."amount", h."score", h."_valid_from", h."_valid_to", h."_changed", h."_cause", h."_run_id", h."_window_start", h."_exported_at", h."_extra", h."_deleted_at" FROM "notes_history" AS h UNION ALL SELECT t."id", t."at", t."note", t."amount", t."score", t."_exported_at", NULL, NULL, NULL, NULL, t."_window_start", t."_exported_at", t."_extra", t."_deleted_at" FROM "notes" AS t;
