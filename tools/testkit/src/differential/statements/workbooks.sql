-- Tableau: connecting and previewing.
SELECT 1 AS "number_of_records" LIMIT 1;
SELECT * FROM "archive"."sessions" "sessions" WHERE (1 = 0);
SELECT "sessions"."session" AS "session", "sessions"."agent" AS "agent" FROM "archive"."sessions" "sessions" ORDER BY 1 LIMIT 100;
SELECT CAST("sessions"."agent" AS TEXT) AS "agent", SUM(1) AS "cnt:session:ok" FROM "archive"."sessions" "sessions" GROUP BY 1 ORDER BY 1;
SELECT COUNT(1) AS "cnt", SUM(1) AS "sum:Number of Records:ok" FROM "archive"."sessions" "sessions" HAVING (COUNT(1) > 0);
-- Tableau: parts of dates.
SELECT CAST(EXTRACT(YEAR FROM "sessions"."started_at") AS INTEGER) AS "yr:started_at:ok", SUM("sessions"."waited") AS "sum:waited:ok" FROM "archive"."sessions" "sessions" GROUP BY 1 ORDER BY 1;
SELECT CAST(TRUNC(EXTRACT(MONTH FROM "sessions"."started_at")) AS INTEGER) AS "mn:started_at:ok", AVG(CAST("sessions"."rating" AS DOUBLE PRECISION)) AS "avg:rating:ok" FROM "archive"."sessions" "sessions" GROUP BY 1 ORDER BY 1;
SELECT DATE_TRUNC('DAY', CAST("sessions"."started_at" AS TIMESTAMP)) AS "tdy:started_at:ok", COUNT(DISTINCT "sessions"."session") AS "ctd:session:ok" FROM "archive"."sessions" "sessions" GROUP BY 1 ORDER BY 1;
SELECT (DATE_TRUNC('DAY', CAST("sessions"."started_at" AS TIMESTAMP)) + (-EXTRACT(DOW FROM "sessions"."started_at") * INTERVAL '1 DAY')) AS "twk:started_at:ok", COUNT(1) FROM "archive"."sessions" "sessions" GROUP BY 1 ORDER BY 1;
SELECT (CASE WHEN (CASE WHEN 0 = 60 THEN NULL ELSE ("sessions"."waited" / 60) END) > 1 THEN 'long' ELSE 'short' END) AS "Calculation_1", COUNT(1) FROM "archive"."sessions" "sessions" GROUP BY 1 ORDER BY 1;
SELECT "sessions"."agent" AS "agent", COUNT(1) FROM "archive"."sessions" "sessions" WHERE (("sessions"."started_at" >= (TIMESTAMP '2026-05-17 00:00:00.000')) AND ("sessions"."started_at" <= (TIMESTAMP '2026-05-19 23:59:59.000'))) GROUP BY 1 ORDER BY 1;
SELECT "sessions"."agent" AS "agent" FROM "archive"."sessions" "sessions" WHERE ("sessions"."agent" IN ('a-priya', 'a-tom') OR ("sessions"."agent" IS NULL)) GROUP BY 1 ORDER BY 1 ASC NULLS FIRST;
SELECT "t0"."agent" AS "agent", "t0"."n" AS "n" FROM (SELECT "sessions"."agent" AS "agent", COUNT(1) AS "n" FROM "archive"."sessions" "sessions" GROUP BY 1) "t0" INNER JOIN (SELECT "sessions"."agent" AS "agent", SUM("sessions"."waited") AS "$__alias__0" FROM "archive"."sessions" "sessions" GROUP BY 1 ORDER BY 2 DESC NULLS LAST, 1 LIMIT 5) "t1" ON ("t0"."agent" IS NOT DISTINCT FROM "t1"."agent") ORDER BY 1;
SELECT LEFT("sessions"."portal", 4) AS "c", STRPOS("sessions"."portal", '/') AS "p", LENGTH("sessions"."portal") AS "l" FROM "archive"."sessions" "sessions" GROUP BY "sessions"."portal" ORDER BY "sessions"."portal";
SELECT MIN("sessions"."started_at") AS "TEMP(min)", MAX("sessions"."started_at") AS "TEMP(max)" FROM "archive"."sessions" "sessions" HAVING (COUNT(1) > 0);

-- Power BI: import and DirectQuery.
select "$Table"."session" as "session", "$Table"."agent" as "agent", "$Table"."rating" as "rating" from "archive"."sessions" "$Table" order by "$Table"."session" limit 1000;
select "_"."agent", "_"."rating" from "archive"."sessions" "_" where "_"."rating" = 5 and "_"."rating" is not null order by "_"."session" limit 4096;
select count(*) as "C0" from ( select "t0"."agent" as "c5" from "archive"."sessions" as "t0" ) as "i";
select "t0"."a" as "c0", sum("t0"."b") as "a0" from (select "$Table"."agent" as "a", "$Table"."waited" as "b" from "archive"."sessions" as "$Table") as "t0" group by "t0"."a" order by "t0"."a" limit 1000001;
select "rows"."agent" as "agent", count("rows"."session") as "n" from (select "agent", "session" from "archive"."sessions" "$Table") "rows" group by "agent" order by 1;
select sum(cast("t0"."rating" as decimal)) as "a0", count("t0"."rating") as "a1", "t0"."portal" as "c1" from "archive"."sessions" as "t0" group by "t0"."portal" order by "t0"."portal" limit 1000001;
select "t0"."c1", "t0"."a0" from (select "portal" as "c1", min("started_at") as "a0" from "archive"."sessions" group by "portal") as "t0" where not "t0"."a0" is null order by 1;
select "basetable0"."agent" as "c1", "basetable0"."portal" as "c2" from (select "agent", "portal" from "archive"."sessions") as "basetable0" group by "basetable0"."agent", "basetable0"."portal" order by 1 asc nulls first, 2 asc nulls first limit 501;
select "_"."session" from "archive"."sessions" "_" where "_"."started_at" >= timestamp '2026-05-18 00:00:00' and "_"."started_at" < timestamp '2026-05-19 00:00:00' order by 1;
select coalesce(cast("t0"."waited" as double precision), 0) as "c0" from "archive"."sessions" as "t0" order by "t0"."session" limit 10;

-- Excel and Access over ODBC.
SELECT "sessions"."session", "sessions"."agent", "sessions"."started_at" FROM "holdfast"."archive"."sessions" "sessions" ORDER BY "sessions"."session";
SELECT sessions_0.agent, Count(sessions_0.session) AS "Count Of session" FROM archive.sessions sessions_0 GROUP BY sessions_0.agent ORDER BY sessions_0.agent;
SELECT sessions_0.session FROM archive.sessions sessions_0 WHERE (sessions_0.started_at>={ts '2026-05-18 00:00:00'}) ORDER BY 1;
SELECT sessions.session, surveys.rating FROM {oj archive.sessions sessions LEFT OUTER JOIN archive.surveys surveys ON sessions.session = surveys.session} ORDER BY 1;
SELECT {fn ucase('abc')}, {fn length('abc')}, {d '2026-05-10'};
SELECT sessions_0.session, sessions_0.rating FROM archive.sessions sessions_0 WHERE (sessions_0.rating>3) AND (sessions_0.portal Like 'acme%') ORDER BY sessions_0.session;

-- Looker.
SELECT sessions.agent AS "sessions.agent", COUNT(*) AS "sessions.count" FROM archive.sessions AS sessions GROUP BY 1 ORDER BY 2 DESC, 1 FETCH NEXT 500 ROWS ONLY;
SELECT (DATE(sessions.started_at)) AS "sessions.started_date", COUNT(DISTINCT sessions.agent) AS "sessions.agents", COALESCE(SUM(sessions.events), 0) AS "sessions.events" FROM archive.sessions AS sessions WHERE ((( sessions.started_at ) >= ((SELECT (DATE_TRUNC('day', TIMESTAMP '2026-05-20') + (-6 || ' day')::INTERVAL))) AND ( sessions.started_at ) < ((SELECT ((DATE_TRUNC('day', TIMESTAMP '2026-05-20') + (-6 || ' day')::INTERVAL) + (7 || ' day')::INTERVAL))))) GROUP BY (DATE(sessions.started_at)) ORDER BY 1 DESC LIMIT 500;
SELECT TO_CHAR(DATE_TRUNC('month', sessions.started_at), 'YYYY-MM') AS "sessions.started_month", AVG(sessions.rating) AS "sessions.average_rating" FROM archive.sessions AS sessions GROUP BY DATE_TRUNC('month', sessions.started_at) ORDER BY 1 DESC LIMIT 500;
SELECT TO_CHAR(DATE_TRUNC('week', sessions.started_at), 'YYYY-MM-DD') AS "sessions.started_week", COUNT(CASE WHEN (sessions.resolution = 'resolved') THEN 1 ELSE NULL END) AS "sessions.resolved" FROM archive.sessions AS sessions WHERE ((sessions.portal) ILIKE 'acme%') GROUP BY 1 ORDER BY 1 DESC LIMIT 500;
WITH per_agent AS (SELECT agent, COUNT(*) AS n FROM archive.sessions GROUP BY 1) SELECT per_agent.agent AS "per_agent.agent", COALESCE(SUM(per_agent.n), 0) AS "per_agent.n" FROM per_agent GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 500;
SELECT CASE WHEN sessions.broken_off THEN 'Yes' ELSE 'No' END AS "sessions.broken_off", COUNT(*) AS "sessions.count" FROM archive.sessions AS sessions GROUP BY 1 ORDER BY 1 LIMIT 500;
SELECT * FROM (SELECT *, DENSE_RANK() OVER (ORDER BY z___min_rank) AS z___pivot_row_rank FROM (SELECT *, MIN(z___rank) OVER (PARTITION BY "a") AS z___min_rank FROM (SELECT *, RANK() OVER (ORDER BY "n" DESC, "a") AS z___rank FROM (SELECT sessions.agent AS "a", COUNT(*) AS "n" FROM archive.sessions AS sessions GROUP BY 1) ww) bb) aa) xx ORDER BY z___pivot_row_rank LIMIT 100;
