-- DBeaver: opening a table and its filters.
SELECT x.* FROM archive.sessions x ORDER BY x.session LIMIT 200;
SELECT x.* FROM archive.sessions x WHERE x.agent = 'a-priya' ORDER BY x.started_at DESC, x.session;
SELECT count(*) FROM archive.sessions x;
SELECT x.agent, count(*) FROM archive.sessions x GROUP BY x.agent ORDER BY count(*) DESC, 1;
SELECT s.session, s.rating FROM archive.sessions AS s WHERE s.session LIKE 'S%' ORDER BY s.session LIMIT 200 OFFSET 10;
-- DBeaver: what it asks at the start.
SELECT current_schema(), session_user;
SHOW search_path;
SELECT n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname = 'archive';
SELECT db.datname FROM pg_catalog.pg_database db WHERE datallowconn AND NOT datistemplate AND db.datname = 'holdfast';
SELECT t.typname, t.typcategory FROM pg_catalog.pg_type t WHERE t.typname IN ('int4', 'text', 'timestamptz', 'bool') ORDER BY t.typname;
SELECT t.oid, t.typname, t.typlen FROM pg_catalog.pg_type t WHERE t.oid IN (16, 20, 23, 25, 1114, 1184, 1700) ORDER BY t.oid;
SELECT c.relname, c.relkind FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'd' AND c.relname IN ('t', 'u') ORDER BY c.relname;
SELECT a.attname, a.attnum, format_type(a.atttypid, a.atttypmod) FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'd' AND c.relname = 't' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;
SELECT setting FROM pg_catalog.pg_settings WHERE name = 'standard_conforming_strings';

-- DataGrip: paging and counting.
SELECT t.* FROM archive.sessions t ORDER BY session LIMIT 501;
SELECT COUNT(*) FROM (SELECT * FROM archive.sessions WHERE rating IS NOT NULL) _;
select * from archive.chat_lines order by session, seq limit 11 offset 5;
select current_database() as a, current_schemas(false) as b;
select round(extract(epoch from pg_catalog.now())) > 0;

-- psql and other command lines.
select session, agent from sessions order by 1 limit 3;
select relname from pg_class where relname = 'sessions' and relkind in ('r', 'v');
select column_name, data_type, is_nullable from information_schema.columns where table_schema = 'd' and table_name = 't' order by ordinal_position;
select column_name, udt_name, ordinal_position from information_schema.columns where table_schema = 'd' and table_name = 'u' order by ordinal_position;
select table_schema, table_name from information_schema.tables where table_schema = 'd' order by table_name;
select table_name, table_type from information_schema.tables where table_schema = 'd' order by 1;
select schema_name from information_schema.schemata where schema_name in ('archive', 'crm', 'd') order by 1;
select has_table_privilege('d.t', 'select'), has_schema_privilege('d', 'usage');
select to_regclass('d.t') is not null, to_regclass('d.nope') is null;
select 'd.t'::regclass::text;
select pg_get_userbyid(10) is not null, pg_backend_pid() > 0, inet_server_port() > 0;
select pg_is_in_recovery(), txid_current() > 0;

-- dbt: sources, tests, freshness, macros.
select count(*) as failures, count(*) != 0 as should_warn, count(*) != 0 as should_error from (select session from "holdfast"."archive"."sessions" where session is null) dbt_internal_test;
select count(*) as failures from (select session as unique_field, count(*) as n_records from "holdfast"."archive"."sessions" where session is not null group by session having count(*) > 1) dbt_internal_test;
with all_values as (select state as value_field, count(*) as n_records from "holdfast"."archive"."sessions" group by state) select count(*) from all_values where value_field not in ('requested', 'queued', 'started', 'ended', 'abandoned');
with child as (select ticket as from_field from archive.sessions where ticket is not null), parent as (select ticket as to_field from crm.tickets) select count(*) as failures from (select from_field from child left join parent on child.from_field = parent.to_field where parent.to_field is null) t;
select max(started_at) as max_loaded_at, now() is not null as snapshotted_at from archive.sessions;
with source as (select * from archive.sessions), renamed as (select session as session_id, lower(trim(agent)) as agent_id, cast(started_at as date) as started_on, rating::numeric(3, 1) as stars, coalesce(feedback, '') <> '' as has_feedback from source) select * from renamed order by session_id;
select md5(cast(coalesce(cast(session as TEXT), '_dbt_utils_surrogate_key_null_') || '-' || coalesce(cast(agent as TEXT), '_dbt_utils_surrogate_key_null_') as TEXT)) as key from archive.sessions order by 1;
with rawdata as (with p as (select 0 as generated_number union all select 1), unioned as (select p0.generated_number * power(2, 0) + p1.generated_number * power(2, 1) + 1 as generated_number from p as p0 cross join p as p1) select * from unioned where generated_number <= 4 order by generated_number), all_periods as (select (cast('2026-05-17' as date) + ((interval '1 day') * (row_number() over (order by generated_number) - 1))) as date_day from rawdata) select * from all_periods where date_day <= cast('2026-05-20' as date) order by 1;
select date_trunc('month', started_at) as month, sum(case when state = 'ended' then 1 else 0 end) as ended, sum(case when state = 'abandoned' then 1 else 0 end) as abandoned from archive.sessions group by 1 order by 1;
select * from (select *, row_number() over (partition by ticket order by started_at desc nulls last, session) as row_num from archive.sessions) s where row_num = 1 order by session;
select (date_part('day', '2026-05-20'::timestamp - '2026-05-17'::timestamp)) * 24 + date_part('hour', '2026-05-20'::timestamp - '2026-05-17'::timestamp) as datediff;
select cast('2026-05-10' as timestamp) + ((interval '1 month') * (1)) as dateadd, date_trunc('month', cast('2026-05-10' as date))::date + interval '1 month' - interval '1 day' as last_day;

-- Numbers of several types are compared in the type of PostgreSQL.
SELECT session FROM archive.sessions WHERE extract(hour FROM started_at) = 9 ORDER BY session;
SELECT count(*) FROM archive.sessions WHERE extract(dow FROM started_at) BETWEEN 1 AND 5.5;
SELECT session, CASE extract(dow FROM started_at) WHEN 1 THEN 'Monday' WHEN 2 THEN 'Tuesday' ELSE 'later' END FROM archive.sessions ORDER BY session;
SELECT agent, round(avg(rating), 2) FROM archive.sessions GROUP BY agent HAVING round(avg(rating), 2) > 3 ORDER BY agent;
SELECT session FROM archive.sessions WHERE extract(epoch FROM ended_at - started_at) > 60.5 ORDER BY session;
SELECT session FROM archive.sessions WHERE waited = 3.5 OR waited > 20.25 ORDER BY session;
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY waited), percentile_cont(ARRAY[0.1, 0.9]) WITHIN GROUP (ORDER BY waited) FROM archive.sessions;
SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM ended_at - started_at)) FROM archive.sessions;

-- Subqueries as values.
SELECT EXISTS (SELECT 1 FROM archive.sessions WHERE rating = 5 LIMIT 1);
SELECT session, EXISTS (SELECT 1 FROM archive.surveys v WHERE v.session = s.session) AS rated FROM archive.sessions s ORDER BY session;
SELECT session, NOT EXISTS (SELECT * FROM archive.chat_lines c WHERE c.session = s.session AND c.seq > 5) AS short FROM archive.sessions s ORDER BY session;
SELECT session, rating IN (SELECT rating FROM archive.surveys WHERE rating > 3) AS good FROM archive.sessions ORDER BY session;
SELECT session, session NOT IN (SELECT session FROM archive.surveys) AS unrated FROM archive.sessions ORDER BY session;
SELECT CASE WHEN EXISTS (SELECT 1 FROM archive.sessions WHERE rating > 9) THEN 'some' ELSE 'none' END;

-- Series of times with texts, and rows of arrays.
SELECT d::date FROM generate_series(timestamptz '2026-10-24', '2026-10-27', '1 day') d ORDER BY 1;
SELECT d, (d + interval '1 day') AT TIME ZONE 'Europe/Vienna' FROM generate_series('2026-10-24'::date, '2026-10-27', '1 day') AS d ORDER BY 1;
SELECT t FROM generate_series('2026-10-24', timestamp '2026-10-25', '6 hours') AS t ORDER BY 1;
SELECT * FROM unnest(ARRAY[3, 1, 2]) ORDER BY 1;
SELECT unnest FROM unnest(ARRAY['a', 'b']) ORDER BY unnest;
SELECT session FROM archive.sessions ORDER BY session LIMIT '3' OFFSET 1.5;
