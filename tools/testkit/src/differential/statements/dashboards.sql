-- Metabase: a saved question of rows.
SELECT "archive"."sessions"."session" AS "session", "archive"."sessions"."portal" AS "portal", "archive"."sessions"."started_at" AS "started_at", "archive"."sessions"."rating" AS "rating" FROM "archive"."sessions" ORDER BY "archive"."sessions"."session" ASC LIMIT 2000;
SELECT "source"."session" AS "session", "source"."rating" AS "rating" FROM (SELECT "archive"."sessions"."session" AS "session", "archive"."sessions"."rating" AS "rating" FROM "archive"."sessions" WHERE "archive"."sessions"."rating" >= 3) AS "source" ORDER BY "source"."session" ASC LIMIT 1048575;
-- Metabase: summaries by time.
SELECT DATE_TRUNC('month', "archive"."sessions"."started_at") AS "started_at", COUNT(*) AS "count" FROM "archive"."sessions" GROUP BY DATE_TRUNC('month', "archive"."sessions"."started_at") ORDER BY DATE_TRUNC('month', "archive"."sessions"."started_at") ASC;
SELECT CAST("archive"."sessions"."started_at" AS date) AS "started_at", COUNT(*) AS "count" FROM "archive"."sessions" WHERE ("archive"."sessions"."started_at" >= CAST((CAST(TIMESTAMP '2026-05-21 00:00:00' AS timestamp) + (INTERVAL '-30 day')) AS date)) AND ("archive"."sessions"."started_at" < CAST(TIMESTAMP '2026-05-21 00:00:00' AS date)) GROUP BY CAST("archive"."sessions"."started_at" AS date) ORDER BY CAST("archive"."sessions"."started_at" AS date) ASC;
SELECT CAST("archive"."sessions"."started_at" AS date) AS "started_at", AVG("archive"."sessions"."rating") AS "avg" FROM "archive"."sessions" GROUP BY CAST("archive"."sessions"."started_at" AS date) ORDER BY CAST("archive"."sessions"."started_at" AS date) ASC;
SELECT (CAST(DATE_TRUNC('week', (CAST("archive"."sessions"."started_at" AS timestamp) + INTERVAL '1 day')) AS timestamp) + INTERVAL '-1 day') AS "started_at", COUNT(*) AS "count" FROM "archive"."sessions" GROUP BY (CAST(DATE_TRUNC('week', (CAST("archive"."sessions"."started_at" AS timestamp) + INTERVAL '1 day')) AS timestamp) + INTERVAL '-1 day') ORDER BY (CAST(DATE_TRUNC('week', (CAST("archive"."sessions"."started_at" AS timestamp) + INTERVAL '1 day')) AS timestamp) + INTERVAL '-1 day') ASC;
SELECT CAST(EXTRACT(hour FROM "archive"."sessions"."started_at") AS integer) AS "started_at", COUNT(*) AS "count" FROM "archive"."sessions" GROUP BY CAST(EXTRACT(hour FROM "archive"."sessions"."started_at") AS integer) ORDER BY CAST(EXTRACT(hour FROM "archive"."sessions"."started_at") AS integer) ASC;
SELECT (MOD(CAST(EXTRACT(dow FROM "archive"."sessions"."started_at") AS integer), 7) + 1) AS "started_at", COUNT(*) AS "count" FROM "archive"."sessions" GROUP BY 1 ORDER BY 1 ASC;
SELECT DATE_TRUNC('quarter', "archive"."sessions"."started_at") AS "started_at", SUM("archive"."sessions"."events") AS "sum" FROM "archive"."sessions" GROUP BY DATE_TRUNC('quarter', "archive"."sessions"."started_at") ORDER BY DATE_TRUNC('quarter', "archive"."sessions"."started_at") ASC;
SELECT DATE_TRUNC('day', ("archive"."sessions"."started_at" AT TIME ZONE 'Europe/Vienna')) AS "started_at", COUNT(*) AS "count" FROM "archive"."sessions" GROUP BY 1 ORDER BY 1 ASC;
-- Metabase: bins, distinct values, shares, expressions, filters.
SELECT FLOOR(("archive"."sessions"."waited" / 60.0)) * 60.0 AS "waited", COUNT(*) AS "count" FROM "archive"."sessions" GROUP BY FLOOR(("archive"."sessions"."waited" / 60.0)) * 60.0 ORDER BY FLOOR(("archive"."sessions"."waited" / 60.0)) * 60.0 ASC;
SELECT COUNT(DISTINCT "archive"."sessions"."agent") AS "count" FROM "archive"."sessions";
SELECT SUM(CASE WHEN "archive"."sessions"."rating" < 3 THEN 1 ELSE 0.0 END) AS "count-where", CAST(SUM(CASE WHEN "archive"."sessions"."rating" < 3 THEN 1 ELSE 0.0 END) AS float) / COUNT(*) AS "share" FROM "archive"."sessions";
SELECT CAST("archive"."sessions"."handled" AS float) / NULLIF("archive"."sessions"."events", 0) AS "per event", "archive"."sessions"."session" AS "session" FROM "archive"."sessions" ORDER BY "session" ASC LIMIT 2000;
SELECT COUNT(*) AS "count" FROM "archive"."sessions" WHERE (LOWER("archive"."sessions"."portal") LIKE '%acme%');
SELECT COUNT(*) AS "count" FROM "archive"."sessions" WHERE ("archive"."sessions"."agent" <> 'a-tom' OR "archive"."sessions"."agent" IS NULL);
-- $1 text = %acme%
SELECT COUNT(*) AS "count" FROM "archive"."sessions" WHERE "archive"."sessions"."portal" LIKE $1;
-- $1 timestamptz = 2026-05-18 00:00:00+00
-- $2 timestamptz = 2026-05-20 00:00:00+00
SELECT "archive"."sessions"."agent" AS "agent", COUNT(*) AS "count" FROM "archive"."sessions" WHERE ("archive"."sessions"."started_at" >= $1) AND ("archive"."sessions"."started_at" < $2) GROUP BY "archive"."sessions"."agent" ORDER BY "count" DESC, "archive"."sessions"."agent" ASC;
-- Metabase: joins, and the scan of a table for its fingerprints.
SELECT "archive"."sessions"."session" AS "session", "Surveys"."rating" AS "Surveys__rating" FROM "archive"."sessions" LEFT JOIN "archive"."surveys" AS "Surveys" ON "archive"."sessions"."session" = "Surveys"."session" ORDER BY 1 ASC LIMIT 2000;
SELECT "source"."agent" AS "agent", AVG("source"."count") AS "avg" FROM (SELECT "archive"."sessions"."agent" AS "agent", DATE_TRUNC('day', "archive"."sessions"."started_at") AS "started_at", COUNT(*) AS "count" FROM "archive"."sessions" GROUP BY "archive"."sessions"."agent", DATE_TRUNC('day', "archive"."sessions"."started_at")) AS "source" GROUP BY "source"."agent" ORDER BY "source"."agent" ASC;
SELECT "source"."substring1" AS "substring1" FROM (SELECT SUBSTRING("archive"."sessions"."portal", 1, 1234) AS "substring1" FROM "archive"."sessions") AS "source" ORDER BY 1 LIMIT 10000;
SELECT TRUE AS "_" FROM "archive"."sessions" WHERE 1 <> 1 LIMIT 0;
SELECT PERCENTILE_CONT(0.5) within group (order by "archive"."sessions"."waited") AS "median", STDDEV_POP("archive"."sessions"."waited") AS "stddev", VAR_POP("archive"."sessions"."waited") AS "var" FROM "archive"."sessions";
SELECT SUM(COUNT(*)) OVER (ORDER BY CAST("archive"."sessions"."started_at" AS date) ASC ROWS UNBOUNDED PRECEDING) AS "count", CAST("archive"."sessions"."started_at" AS date) AS "started_at" FROM "archive"."sessions" GROUP BY CAST("archive"."sessions"."started_at" AS date) ORDER BY 2 ASC;

-- Grafana: time series.
SELECT floor(extract(epoch from started_at)/3600)*3600 AS "time", count(*) AS "value" FROM sessions WHERE started_at BETWEEN '2026-05-17T00:00:00Z' AND '2026-05-20T12:00:00Z' GROUP BY 1 ORDER BY 1;
SELECT date_trunc('hour', "time") AS "time", type AS metric, count(*) AS value FROM archive.events WHERE "time" BETWEEN '2026-05-18T00:00:00Z' AND '2026-05-19T00:00:00Z' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT started_at AS "time", waited AS "value", agent AS "metric" FROM archive.sessions WHERE started_at >= '2026-05-18T00:00:00Z' AND started_at <= '2026-05-20T00:00:00Z' ORDER BY started_at, session;
SELECT to_timestamp(floor((extract('epoch' from started_at) / 900 )) * 900) AS "time", avg(waited) AS "waited" FROM archive.sessions GROUP BY 1 ORDER BY 1;
SELECT extract(epoch from started_at)::bigint * 1000 AS time, rating FROM archive.sessions WHERE rating IS NOT NULL ORDER BY started_at, session;
SELECT date_bin('1 hour'::interval, started_at, 'epoch'::timestamptz) AS time, count(*) FROM archive.sessions GROUP BY 1 ORDER BY 1;
-- Grafana: variables and annotations.
SELECT DISTINCT portal AS __text, portal AS __value FROM archive.sessions ORDER BY 1;
SELECT quote_literal(agent) FROM archive.sessions WHERE agent IN ('a-priya','a-tom') GROUP BY agent ORDER BY 1;
SELECT extract(epoch from time) AS time, type AS text, subject AS tags FROM archive.events WHERE type LIKE 'session.%' ORDER BY 1, 3, 2 LIMIT 100;
SELECT CASE WHEN '2026-05-18'::timestamptz < now() THEN 'past' ELSE 'future' END;
-- Grafana: what its connection asks.
SELECT 1;
SELECT current_setting('server_version_num')::int/100 as version;
SHOW search_path;

-- Superset: charts.
SELECT DATE_TRUNC('day', started_at) AS __timestamp, COUNT(*) AS count FROM archive.sessions WHERE started_at >= TO_TIMESTAMP('2026-05-17 00:00:00.000000', 'YYYY-MM-DD HH24:MI:SS.US') AND started_at < TO_TIMESTAMP('2026-05-20 00:00:00.000000', 'YYYY-MM-DD HH24:MI:SS.US') GROUP BY DATE_TRUNC('day', started_at) ORDER BY count DESC, 1 LIMIT 10000;
SELECT agent AS agent, COUNT(*) AS "COUNT(*)", AVG(rating) AS "AVG(rating)" FROM archive.sessions GROUP BY agent ORDER BY "COUNT(*)" DESC, agent LIMIT 100;
SELECT agent AS agent, sum(waited) AS "SUM(waited)" FROM archive.sessions GROUP BY agent HAVING sum(waited) > 10 ORDER BY "SUM(waited)" DESC, 1 LIMIT 10;
SELECT COUNT(*) AS count FROM archive.sessions WHERE started_at >= TO_DATE('2026-05-17', 'YYYY-MM-DD') AND started_at < TO_DATE('2026-05-20', 'YYYY-MM-DD') LIMIT 50000;
SELECT portal AS portal, DATE_TRUNC('week', started_at) AS started_at, COUNT(DISTINCT agent) AS "COUNT_DISTINCT(agent)" FROM archive.sessions JOIN (SELECT portal AS portal__, COUNT(DISTINCT agent) AS mme_inner__ FROM archive.sessions GROUP BY portal ORDER BY mme_inner__ DESC, portal__ LIMIT 5) AS series_limit ON portal = portal__ GROUP BY portal, DATE_TRUNC('week', started_at) ORDER BY "COUNT_DISTINCT(agent)" DESC, 1, 2 LIMIT 10000;
SELECT rowcount FROM (SELECT COUNT(*) AS rowcount FROM (SELECT agent AS agent FROM archive.sessions GROUP BY agent LIMIT 50000) AS rowcount_qry) AS x;
SELECT min(started_at), max(started_at) FROM archive.sessions;
SELECT * FROM (SELECT session, agent FROM archive.sessions) AS virtual_table ORDER BY session LIMIT 1000;
SELECT CASE WHEN rating > 3 THEN 'good' ELSE 'other' END AS verdict, count(*) AS count FROM archive.sessions GROUP BY CASE WHEN rating > 3 THEN 'good' ELSE 'other' END ORDER BY count DESC, 1 LIMIT 1000;
SELECT DATE_TRUNC('minute', started_at) + INTERVAL '-5 minutes' * MOD(CAST(EXTRACT(MINUTE FROM started_at) AS INTEGER), 5) AS __timestamp, count(*) FROM archive.sessions GROUP BY 1 ORDER BY 1;
-- Superset: what it asks of a database.
SELECT pg_catalog.version() IS NOT NULL;
SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg_%' AND nspname IN ('archive', 'd') ORDER BY nspname;
