-- SQLAlchemy.
SELECT archive.sessions.session, archive.sessions.agent FROM archive.sessions WHERE archive.sessions.rating > 3 ORDER BY archive.sessions.session LIMIT 10 OFFSET 0;
SELECT sessions_1.session AS sessions_1_session, sessions_1.rating AS sessions_1_rating FROM archive.sessions AS sessions_1 ORDER BY sessions_1.session;
SELECT count(*) AS count_1 FROM (SELECT archive.sessions.session AS archive_sessions_session FROM archive.sessions) AS anon_1;
SELECT anon_1.agent, anon_1.n FROM (SELECT archive.sessions.agent AS agent, count(archive.sessions.session) AS n FROM archive.sessions GROUP BY archive.sessions.agent) AS anon_1 WHERE anon_1.n > 1 ORDER BY anon_1.agent;
SELECT EXISTS (SELECT 1 FROM archive.sessions WHERE archive.sessions.rating = 5) AS anon_1;
-- $1 text = a-priya
-- $2 integer = 10
SELECT archive.sessions.session FROM archive.sessions WHERE archive.sessions.agent = $1::VARCHAR ORDER BY archive.sessions.session LIMIT $2::INTEGER;
-- $1 = 2026-05-18 08:00:00+00:00
SELECT count(archive.sessions.session) AS count_1 FROM archive.sessions WHERE archive.sessions.started_at >= $1::TIMESTAMP WITH TIME ZONE;
SELECT CAST(archive.sessions.rating AS VARCHAR) AS rating, CAST(archive.sessions.waited AS NUMERIC(10, 2)) AS waited FROM archive.sessions ORDER BY archive.sessions.session;
SELECT archive.sessions.agent, row_number() OVER (PARTITION BY archive.sessions.agent ORDER BY archive.sessions.started_at, archive.sessions.session) AS anon_1 FROM archive.sessions ORDER BY archive.sessions.session;
SELECT coalesce(archive.sessions.agent, 'none') AS coalesce_1, concat(archive.sessions.agent, '-', archive.sessions.portal) AS concat_1 FROM archive.sessions ORDER BY archive.sessions.session;
SELECT pg_catalog.version() IS NOT NULL AS v;
select 'test plain returns' AS anon_1, CAST('test unicode returns' AS VARCHAR(60)) AS anon_2;

-- Django.
SELECT "sessions"."session", "sessions"."agent", "sessions"."rating" FROM "sessions" ORDER BY "sessions"."session" ASC LIMIT 21;
SELECT COUNT(*) AS "__count" FROM "sessions";
SELECT (1) AS "a" FROM "sessions" WHERE "sessions"."rating" = 5 LIMIT 1;
SELECT "sessions"."agent", COUNT("sessions"."session") AS "n" FROM "sessions" GROUP BY "sessions"."agent" HAVING COUNT("sessions"."session") > 1 ORDER BY "n" DESC, "sessions"."agent" ASC;
SELECT DATE_TRUNC('day', "sessions"."started_at" AT TIME ZONE 'UTC') AS "day", COUNT("sessions"."session") AS "n" FROM "sessions" GROUP BY DATE_TRUNC('day', "sessions"."started_at" AT TIME ZONE 'UTC') ORDER BY "day" ASC;
SELECT ("sessions"."started_at" AT TIME ZONE 'Europe/Vienna')::date AS "day", AVG("sessions"."rating") AS "rating__avg" FROM "sessions" GROUP BY 1 ORDER BY 1;
SELECT "sessions"."session" FROM "sessions" WHERE UPPER("sessions"."portal"::text) LIKE UPPER('%Acme%') ORDER BY 1;
SELECT "sessions"."session" FROM "sessions" WHERE "sessions"."portal"::text LIKE 'acme%' ORDER BY 1;
SELECT "sessions"."session" FROM "sessions" WHERE "sessions"."portal"::text ~ '^acme' ORDER BY 1;
SELECT "sessions"."session" FROM "sessions" WHERE EXTRACT('hour' FROM "sessions"."started_at" AT TIME ZONE 'UTC') = 9 ORDER BY 1;
SELECT "sessions"."session" FROM "sessions" WHERE "sessions"."started_at" BETWEEN '2026-01-01T00:00:00+00:00'::timestamptz AND '2026-12-31T23:59:59.999999+00:00'::timestamptz ORDER BY 1;
SELECT "sessions"."session" FROM "sessions" WHERE NOT ("sessions"."agent" = 'a-tom' AND "sessions"."agent" IS NOT NULL) ORDER BY 1;
SELECT DISTINCT "sessions"."agent" FROM "sessions" WHERE "sessions"."session" IN (SELECT U0."session" FROM "surveys" U0 WHERE U0."rating" > 3) ORDER BY 1;
SELECT CASE WHEN ("sessions"."rating" > 3) THEN 'good' WHEN ("sessions"."rating" IS NULL) THEN NULL ELSE 'bad' END AS "verdict", COUNT(*) AS "n" FROM "sessions" GROUP BY 1 ORDER BY 1;
SELECT SUM("sessions"."waited") FILTER (WHERE "sessions"."rating" = 5) AS "s", MAX("sessions"."rating") AS "m" FROM "sessions";
-- $1 = acme
-- $2 = 3
SELECT "sessions"."session" FROM "sessions" WHERE ("sessions"."portal" = $1 AND "sessions"."rating" >= $2) ORDER BY "sessions"."session";
-- $1 text = %acme%
-- $2 bigint = 21
SELECT "sessions"."session" FROM "sessions" WHERE UPPER("sessions"."portal"::text) LIKE UPPER($1) ORDER BY "sessions"."session" ASC LIMIT $2;

-- Rails.
SELECT "sessions".* FROM "sessions" WHERE "sessions"."agent" IS NOT NULL ORDER BY "sessions"."session" ASC LIMIT 11;
-- $1 = 1
SELECT "sessions".* FROM "sessions" ORDER BY "sessions"."session" ASC LIMIT $1;
-- $1 = a-tom
-- $2 = 1
SELECT 1 AS one FROM "sessions" WHERE "sessions"."agent" = $1 LIMIT $2;
SELECT COUNT(*) FROM "sessions" WHERE "sessions"."rating" BETWEEN 1 AND 3;
SELECT COUNT(DISTINCT "sessions"."agent") FROM "sessions";
SELECT COUNT(*) AS "count_all", "sessions"."state" AS "sessions_state" FROM "sessions" GROUP BY "sessions"."state" ORDER BY 2;
SELECT AVG("sessions"."rating") FROM "sessions";
SELECT "sessions"."session" FROM "sessions" INNER JOIN "surveys" ON "surveys"."session" = "sessions"."session" WHERE "surveys"."rating" = 5 ORDER BY "sessions"."session" DESC;
SELECT DISTINCT "sessions"."agent", "sessions"."portal" FROM "sessions" ORDER BY 1, 2;
-- $1 = 2026-05-18 00:00:00
-- $2 = 2026-05-19 00:00:00
SELECT COUNT(*) FROM "sessions" WHERE "sessions"."started_at" >= $1 AND "sessions"."started_at" < $2;
SELECT "sessions".* FROM "sessions" WHERE 1=0;

-- Hibernate.
select s1_0.session, s1_0.agent, s1_0.rating from archive.sessions s1_0 order by s1_0.session fetch first 10 rows only;
-- $1 integer = 5
select s1_0.session from archive.sessions s1_0 order by s1_0.session offset $1 rows fetch first 5 rows only;
-- $1 integer = 2
-- $2 integer = 3
select s1_0.session from archive.sessions s1_0 order by s1_0.session offset $1 rows fetch first $2 rows only;
-- $1 text = acme%
select s1_0.session from archive.sessions s1_0 where lower(s1_0.portal) like $1 escape '' order by s1_0.session;
-- $1 bigint = 3
select count(*) from archive.sessions s1_0 where s1_0.events > $1;
select s1_0.agent, count(s1_0.session), avg(cast(s1_0.rating as float(53))) from archive.sessions s1_0 group by s1_0.agent order by 1;
select s1_0.session, v1_0.rating from archive.sessions s1_0 left join archive.surveys v1_0 on v1_0.session=s1_0.session order by s1_0.session;
select s1_0.session from archive.sessions s1_0 where exists(select 1 from archive.surveys v1_0 where v1_0.session=s1_0.session) order by 1;
select distinct s1_0.portal from archive.sessions s1_0 where s1_0.agent in ('a-priya','a-tom',null) order by 1;
select extract(year from s1_0.started_at), extract(month from s1_0.started_at), count(*) from archive.sessions s1_0 group by 1,2 order by 1,2;
select s1_0.session, (cast(s1_0.started_at as timestamp) at time zone 'UTC') from archive.sessions s1_0 order by 1;
select s1_0.session, case when s1_0.rating is null then 0 else s1_0.rating end from archive.sessions s1_0 order by s1_0.rating desc nulls last, s1_0.session;

-- Prisma.
-- $1 bigint = 10
-- $2 bigint = 0
SELECT "archive"."sessions"."session", "archive"."sessions"."agent" FROM "archive"."sessions" WHERE 1=1 ORDER BY "archive"."sessions"."session" ASC LIMIT $1 OFFSET $2;
-- $1 text = a-tom
-- $2 bigint = 1
-- $3 bigint = 0
SELECT "archive"."sessions"."session" FROM "archive"."sessions" WHERE ("archive"."sessions"."agent" = $1 AND 1=1) LIMIT $2 OFFSET $3;
-- $1 bigint = 0
SELECT COUNT(*) FROM (SELECT "archive"."sessions"."session" FROM "archive"."sessions" WHERE 1=1 OFFSET $1) AS "sub";
-- $1 bigint = 0
SELECT COUNT(*), "archive"."sessions"."state" FROM "archive"."sessions" WHERE 1=1 GROUP BY "archive"."sessions"."state" ORDER BY "archive"."sessions"."state" ASC OFFSET $1;
-- $1 text = %acme%
SELECT "archive"."sessions"."session" FROM "archive"."sessions" WHERE "archive"."sessions"."portal"::text ILIKE $1 ORDER BY 1;
-- $1 text = a-priya
-- $2 text = a-tom
SELECT "t0"."session" FROM "archive"."sessions" AS "t0" WHERE "t0"."agent" IN ($1,$2) ORDER BY "t0"."session";
SELECT "t1"."session", "t1"."n" FROM (SELECT "t0"."session", ROW_NUMBER() OVER (ORDER BY "t0"."session") AS "n" FROM "archive"."sessions" AS "t0") AS "t1" WHERE "t1"."n" <= 5 ORDER BY 1;

-- node-postgres, asyncpg, pgx, Npgsql and JDBC: parameters with and without types.
-- $1 = 5
SELECT session FROM archive.sessions ORDER BY session LIMIT $1;
-- $1 = a-priya
SELECT count(*) FROM archive.sessions WHERE agent = $1;
-- $1 = 4
SELECT count(*) FROM archive.sessions WHERE rating = $1;
-- $1 = {a-priya,a-tom}
SELECT count(*) FROM archive.sessions WHERE agent = ANY($1);
-- $1 text[] = {a-priya,a-tom}
SELECT count(*) FROM archive.sessions WHERE agent = ANY($1);
-- $1 = {a-priya,a-tom}
SELECT count(*) FROM archive.sessions WHERE agent <> ALL($1::text[]);
-- $1 = 2026-05-18T00:00:00.000+02:00
SELECT count(*) FROM archive.sessions WHERE started_at >= $1;
-- $1 timestamp = 2026-05-18 00:00:00
SELECT count(*) FROM archive.sessions WHERE started_at >= $1;
-- $1 date = 2026-05-18
SELECT count(*) FROM archive.sessions WHERE started_at::date = $1;
-- $1 interval = 10 days
SELECT count(*) FROM archive.sessions WHERE started_at > timestamptz '2026-05-25' - $1;
-- $1 = 7
SELECT count(*) FROM archive.sessions WHERE started_at > timestamptz '2026-05-25' - $1 * interval '1 day';
-- $1 = a
-- $2 = 1
SELECT $1, $2;
-- $1 = a
-- $2 = 1
-- $3 = 1.5
SELECT $1::text AS t, $2::int AS i, $3::numeric AS n;
-- $1 integer = 1
SELECT $1 + 1;
-- $1 = 1
SELECT $1 + 1;
-- $1 = 2
SELECT 1.5 * $1;
-- $1 = x
SELECT 'a' || $1;
-- $1 = NULL
SELECT coalesce($1, 'nothing');
-- $1 = NULL
SELECT count(*) FROM archive.sessions WHERE $1::text IS NULL OR agent = $1;
-- $1 = 3
SELECT CASE WHEN $1 > 2 THEN 'many' ELSE 'few' END;
-- $1 = t
SELECT count(*) FROM archive.sessions WHERE broken_off = $1;
-- $1 = day
SELECT date_trunc($1, timestamp '2026-05-10 10:00');
-- $1 = Europe/Vienna
SELECT timestamptz '2026-05-10 10:00+00' AT TIME ZONE $1;
-- $1 = acme
-- $2 = northwind/it
SELECT count(*) FROM archive.sessions WHERE portal IN ($1, $2);
-- $1 = 1
-- $2 = 3
SELECT count(*) FROM archive.sessions WHERE rating BETWEEN $1 AND $2;
-- $1 = abc
SELECT length($1), upper($1);
-- $1 = 2
SELECT * FROM generate_series(1, $1);
-- $1 = x
SELECT count(*) FROM archive.sessions WHERE rating = $1;
