-- Whoever learns by trying: what literals, casts and names give.
SELECT 1;
SELECT 1, 1;
SELECT 1 AS one, 'two' AS two, 3.0 AS three, NULL AS nothing;
SELECT 1 + 1, 2 - 3, 2 * 3.5, 7 / 2, 7 % 3, 7 / 2.0, 2 ^ 10;
SELECT 1 = 1, 1 <> 2, NULL = NULL, NULL IS NULL, true AND NULL, false OR NULL;
SELECT 'a' || 'b', 'a' || 1, 1 || 'a', 'a' || NULL;
SELECT 'it''s', E'a\nb', $$x$$;
SELECT 'a'
  'b';
SELECT current_user, session_user, current_database(), current_schema;
SELECT version() LIKE 'PostgreSQL 15%';
SELECT pg_typeof(1), pg_typeof(1.0), pg_typeof('a'), pg_typeof(true), pg_typeof(NULL), pg_typeof(now());
SELECT 9223372036854775807, 9223372036854775808, 2147483648, -2147483648;
SELECT 9223372036854775807 + 1;
SELECT 2147483647 + 1;
SELECT 1 / 0;
SELECT 1.0 / 0;
SELECT 1::float / 0;
SELECT 0.1 + 0.2, 0.1::float8 + 0.2::float8, 1 / 3.0, 2 / 3::numeric, 1e-7, 1e20;
SELECT round(2.5), round(3.5), round(-2.5), round(2.5::float8), round(3.5::float8), round(0.5::float8);
SELECT round(1.005, 2), round(1234.567, -2), trunc(1.999, 1), trunc(-1.5), ceil(1.1), floor(-1.1);
SELECT 119.7::int, 2.5::int, 3.5::int, -2.5::int, '42'::int, ' 42 '::int;
SELECT 'abc'::int;
SELECT ''::int;
SELECT 300::smallint * 300::smallint;
SELECT 70000::smallint;
SELECT 1::boolean, 0::boolean, 't'::boolean, 'yes'::boolean, 'off'::boolean, true::int, true::text;
SELECT 1.50::text, 1.50::numeric(10, 1)::text, 1e10::float8::text, 1e16::float8::text, 0.00001::float8::text, 100::float4::text;
SELECT 'NaN'::float8, 'Infinity'::float8, '-Infinity'::float8, 'NaN'::numeric;
SELECT 'NaN'::float8 = 'NaN'::float8, 'NaN'::float8 > 'Infinity'::float8;
SELECT DATE '2026-02-29';
SELECT DATE '2024-02-29' + interval '1 year', DATE '2026-01-31' + interval '1 month', DATE '2026-03-31' - interval '1 month';
SELECT DATE '2026-05-10' + 5, DATE '2026-05-10' - DATE '2026-05-01', DATE '2026-05-10' + TIME '10:00';
SELECT TIMESTAMP '2026-05-10 10:00' - TIMESTAMP '2026-05-08 09:00', TIMESTAMPTZ '2026-05-10 10:00+02';
SELECT TIMESTAMP '2026-01-03' - TIMESTAMP '2026-01-01' > INTERVAL '1 day';
SELECT INTERVAL '1 day' = INTERVAL '24 hours', INTERVAL '1 month' = INTERVAL '30 days', INTERVAL '1 month' > INTERVAL '29 days';
SELECT INTERVAL '90 minutes', INTERVAL '1 year 2 months 3 days 04:05:06.789', INTERVAL '-1 day', INTERVAL 'P1DT2H', INTERVAL '1-2';
SELECT INTERVAL '1 day' * 1.5, INTERVAL '1 month' / 2, INTERVAL '1 hour' * 36, -INTERVAL '1 day 2 hours';
SELECT justify_days(INTERVAL '35 days'), justify_hours(INTERVAL '50 hours'), justify_interval(INTERVAL '1 month -1 hour');
SELECT extract(epoch FROM INTERVAL '1 month'), extract(epoch FROM INTERVAL '1.5 seconds'), extract(day FROM INTERVAL '40 days 12 hours');
SELECT age(TIMESTAMP '2026-05-10', TIMESTAMP '2024-02-29'), age(DATE '2026-03-01', DATE '2026-02-01');
SELECT to_char(1234.5, '9,999.99'), to_char(1234.5, 'FM9999.00'), to_char(0.5, '0.00'), to_char(-5, '999'), to_char(42, '00000');
SELECT to_char(TIMESTAMP '2026-05-10 13:04:05.678', 'YYYY-MM-DD HH12:MI:SS.MS AM'), to_char(DATE '2026-05-10', 'Day DD Mon'), to_char(DATE '2026-05-10', 'FMDay, FMDDth FMMonth YYYY');
SELECT to_date('10.05.2026', 'DD.MM.YYYY'), to_timestamp('2026-05-10 08:09', 'YYYY-MM-DD HH24:MI'), to_timestamp(1778400000), to_timestamp(1778400000.5);
SELECT to_number('1,234.5', '9,999.9'), to_number('-12', '99'), to_hex(255);
SELECT date_trunc('week', DATE '2026-05-10'), date_trunc('quarter', TIMESTAMP '2026-05-10'), date_trunc('month', TIMESTAMPTZ '2026-05-10 00:00+00');
SELECT extract(week FROM DATE '2026-01-01'), extract(isoyear FROM DATE '2027-01-01'), extract(dow FROM DATE '2026-05-10'), extract(isodow FROM DATE '2026-05-10'), extract(doy FROM DATE '2026-05-10');
SELECT extract(second FROM TIMESTAMP '2026-05-10 10:11:12.345'), extract(milliseconds FROM TIME '10:11:12.345'), date_part('second', TIMESTAMP '2026-05-10 10:11:12.345');
SELECT TIMESTAMP '2026-03-29 02:30' AT TIME ZONE 'Europe/Vienna', TIMESTAMPTZ '2026-03-29 01:30+00' AT TIME ZONE 'Europe/Vienna';
SELECT '2026-05-10'::date, '2026-05-10 10:00'::timestamp, '10:00'::time, '2026-05-10T10:00:00Z'::timestamptz, 'tomorrow'::date > 'today'::date;
SELECT '1 day 2 hours'::interval::text, '10:00'::time::text, now()::text IS NOT NULL;
SELECT length('äöü'), octet_length('äöü'), upper('straße'), lower('ÄÖÜ'), initcap('hello wORLD o''neil');
SELECT substring('hello' from 2 for 3), substring('hello', 2), substring('abc123' from '[0-9]+'), left('hello', -1), right('hello', 2);
SELECT trim('  x '), ltrim('xxa', 'x'), rtrim('axx', 'x'), trim(both 'x' from 'xax'), btrim('  x ');
SELECT lpad('7', 3, '0'), rpad('ab', 5, '.'), repeat('ab', 3), reverse('abc'), replace('banana', 'an', '-'), translate('abc', 'ab', 'x');
SELECT split_part('a,b,c', ',', 2), split_part('a,b,c', ',', -1), string_to_array('a,b', ','), array_to_string(ARRAY[1, NULL, 3], ',', '*');
SELECT position('b' in 'abc'), strpos('abc', 'c'), starts_with('abc', 'ab'), ascii('A'), chr(228), md5('x');
SELECT regexp_replace('foo bar', '(\w+) (\w+)', '\2 \1'), regexp_match('a1b22', '[0-9]+'), regexp_split_to_array('a, b;c', '[,;] ?'), regexp_count('banana', 'a');
SELECT 'abc' LIKE 'A%', 'abc' ILIKE 'A%', 'abc' ~ '^a', 'abc' ~* '^A', 'abc' SIMILAR TO '(a|b)%', '100%' LIKE '100\%', 'a_b' LIKE 'a!_b' ESCAPE '!';
SELECT concat('a', NULL, 1, true), concat_ws('-', 'a', NULL, 'b'), format('%s is %L of %I', 'x', 'y''s', 'Col'), quote_literal('it''s'), quote_ident('a b');
SELECT coalesce(NULL, 1), nullif(1, 1), greatest(1, NULL, 3), least(2, 1.5), CASE WHEN NULL THEN 1 ELSE 2 END;
SELECT ARRAY[1, 2, 3], ARRAY['a', NULL], '{1,2}'::int[], ARRAY[1, 2] || 3, (ARRAY[1, 2, 3])[2], (ARRAY[1, 2, 3])[2:3], ARRAY[]::text[];
SELECT array_length(ARRAY[1, 2], 1), array_length('{}'::int[], 1), cardinality('{}'::int[]), 2 = ANY (ARRAY[1, 2]), 2 <> ALL (ARRAY[1, 3]), ARRAY[1, 2] @> ARRAY[1];
SELECT unnest(ARRAY[1, 2, 3]);
SELECT unnest(ARRAY['a', 'b']) AS letter, generate_series(1, 2) AS n;
SELECT * FROM generate_series(1, 3);
SELECT * FROM unnest(ARRAY[1, 2], ARRAY['a', 'b', 'c']) AS t(n, s);
SELECT '{"a": 1, "b": [1, 2]}'::json -> 'a', '{"a": 1}'::json ->> 'a', '{"a": {"b": 2}}'::jsonb #>> '{a,b}', '[1,2]'::json -> 0;
SELECT ROW(1, 'a'), (1, 2) = (1, 2), (1, 2) < (1, 3);
SELECT count(*), count(1), sum(1), avg(1), min(1), max(1.5), bool_and(true), string_agg('a', ',');
SELECT lower('A'), upper('a') AS "Upper", now() IS NOT NULL, CAST(1 AS text), 1::text, 'a'::varchar, (SELECT 1), EXISTS (SELECT 1), ARRAY[1], CASE WHEN true THEN 1 END, coalesce(1, 2), -1, NOT true, 1 + 1;
SELECT "session" FROM archive."sessions" ORDER BY 1 LIMIT 1;
SELECT Session, AGENT FROM Archive.Sessions ORDER BY SESSION LIMIT 1;
SELECT nothing FROM archive.sessions;
SELECT * FROM archive.nothing;
SELECT no_function(1);
SELECT agent, count(*) FROM archive.sessions;
SELECT session FROM archive.sessions s JOIN archive.surveys v ON s.session = v.session;
SELECT 1 FROM archive.sessions WHERE count(*) > 1;
SELECT session FROM archive.sessions LIMIT -1;
SELECT session FROM archive.sessions ORDER BY 99;
SELECT FROM archive.sessions LIMIT 2;
SELEC 1;
SELECT 1 UNION SELECT 'a';
SELECT 1 UNION SELECT 2.5 ORDER BY 1;
SELECT NULL UNION SELECT 1 ORDER BY 1 NULLS FIRST;
VALUES (1, 'a'), (2, 'b');
SELECT * FROM (VALUES (1, 'a'), (2, NULL)) AS v(n, s) ORDER BY n DESC;
SELECT 1 AS x ORDER BY x;
SELECT 1 WHERE false;
SELECT DISTINCT x FROM (VALUES (1), (2), (1), (NULL)) v(x) ORDER BY x DESC NULLS LAST;
SELECT x, count(*) FROM (VALUES ('a'), ('B'), ('ä'), ('Z'), ('')) v(x) GROUP BY x ORDER BY x;
SELECT num_nulls(1, NULL), num_nonnulls(1, NULL), pg_typeof(num_nulls(1));
SELECT power(2, 10), sqrt(2), cbrt(27), exp(1), ln(10), log(100), log(2, 8), mod(7, 3), div(7, 2), abs(-5), sign(-2.5), pi(), degrees(pi()), gcd(12, 18), lcm(4, 6), factorial(5);
SELECT B'101', X'1F', 5 & 3, 5 | 3, 5 # 3, ~5, 1 << 4, 256 >> 2;
SELECT '\x41'::bytea, encode('\x4142'::bytea, 'hex'), decode('QUI=', 'base64'), length('\x4142'::bytea);
SELECT 'a'::char(3) || 'b', 'abc'::varchar(2), 'abc'::char, length('a'::char(5));
SELECT 'a' < 'B', 'a' < 'b', 'Z' < 'a', 'ä' > 'z', '' < 'a';
SELECT gen_random_uuid() IS NOT NULL, '00000000-0000-0000-0000-000000000001'::uuid;
SELECT 1 AS "a b", 2 AS "ÄÖ", 3 AS "select";
SHOW server_version_num;
SHOW TimeZone;
SHOW standard_conforming_strings;
-- Whoever writes a long text on several lines.
SELECT 'a' -- of two parts
  'b' AS joined, E'\t'
'c' = E'\tc' AS escaped;
SELECT 'a' 'b';
SELECT count(*) FROM archive.sessions WHERE portal LIKE '%ac'
  'me%';
-- Reports that name the types of their columns.
SELECT 'abc'::varchar, 'abc'::varchar(2), CAST(12345 AS varchar(3)), CAST(NULL AS varchar), varchar 'x';
SELECT x, upper(x), x || 'b', x::text FROM (SELECT 'a'::varchar(5) AS x) t;
SELECT coalesce(x, 'b'), CASE WHEN x = 'a' THEN x ELSE 'b' END, greatest(x, 'b'), nullif(x, 'b') FROM (SELECT 'a'::varchar AS x) t;
SELECT x FROM (SELECT 'a'::varchar AS x UNION ALL SELECT 'b') t ORDER BY x;
SELECT x FROM (SELECT upper('a') AS x UNION SELECT 'b'::varchar) t ORDER BY x;
SELECT ARRAY['a'::varchar, 'b'], '{a}'::varchar[], (ARRAY['a'::varchar])[1], array_append(ARRAY['a'::varchar], 'b');
SELECT portal::varchar(3) AS portal, count(*) FROM archive.sessions GROUP BY 1 ORDER BY 1;
SELECT DISTINCT CAST(portal AS varchar) AS portal FROM archive.sessions ORDER BY 1;
SELECT max(portal::varchar), min(portal::varchar(3)), mode() WITHIN GROUP (ORDER BY portal::varchar) FROM archive.sessions;
SELECT session::varchar, lag(portal::varchar) OVER (ORDER BY session) FROM archive.sessions ORDER BY session LIMIT 5;
SELECT count(*) FROM archive.sessions WHERE portal::varchar = 'acme' OR portal::varchar(2) = 'ac';
SELECT a.portal FROM (SELECT DISTINCT portal::varchar AS portal FROM archive.sessions) a JOIN (SELECT DISTINCT portal FROM archive.sessions) b ON a.portal = b.portal ORDER BY 1;
SELECT (SELECT max(portal)::varchar FROM archive.sessions), 'abc'::varchar(0);
-- What unlike types have in common.
SELECT coalesce(now(), DATE '2026-05-10') IS NULL, greatest(DATE '2026-05-10', TIMESTAMPTZ '2026-05-09 10:00+00'), least(1.5, 2.5::float8);
SELECT CASE WHEN false THEN 1.5 ELSE 2.5::float8 END, CASE WHEN true THEN DATE '2026-05-10' ELSE TIMESTAMPTZ '2026-05-09 10:00+00' END, CASE WHEN false THEN 1 ELSE '2' END;
SELECT nullif(1.5, 2.5::float8), nullif(1::smallint, 2::bigint), nullif(DATE '2026-05-10', TIMESTAMP '2026-05-10 00:00');
SELECT ARRAY[1.5, 2.5::float8], ARRAY[DATE '2026-05-10', TIMESTAMPTZ '2026-05-09 10:00+00'], ARRAY[1, '2'];
SELECT x FROM (SELECT 1.5 AS x UNION SELECT 2.5::float8) t ORDER BY 1;
SELECT NULL AS x EXCEPT SELECT ARRAY[1];
SELECT 2.5 AS x INTERSECT SELECT 2.5::float8;
SELECT DATE '2026-05-10' AS x EXCEPT SELECT TIMESTAMPTZ '2026-05-09 10:00+00';
SELECT * FROM (VALUES (1.5), (2.5::float8)) t(x) ORDER BY 1;
SELECT * FROM generate_series(1, NULL, NULL) AS g;
SELECT (DATE '2026-05-01', DATE '2026-05-10') OVERLAPS (DATE '2026-05-05', DATE '2026-05-20');
-- Drivers that ask for the types of parameters before they have values.
-- $1 = 12
SELECT gcd(3000000000, $1);
-- $1 = 30:00
SELECT justify_hours($1);
-- $1 = 2026-01-01 00:00:00+00
SELECT age(TIMESTAMPTZ '2026-05-10 10:00+00', $1);
-- $1 = 2
SELECT array_position(ARRAY[1, 2], $1);
-- $1 = 1
-- $2 = 3
SELECT ARRAY[$1, NULL, $2::integer];
-- $1 = t
-- $2 = 7
SELECT CASE WHEN $1 THEN $2 ELSE 2.5 END;
-- $1 = 7
SELECT coalesce($1, 1), nullif($1, 2), greatest($1, 3);
-- $1 = 7
SELECT 1 UNION ALL SELECT $1 ORDER BY 1;
-- $1 = t
-- $2 = f
SELECT $1 OR $2, NOT $1;
-- $1 = t
SELECT count(*) FROM archive.sessions WHERE $1;
-- $1 = 1 day
SELECT TIMESTAMP '2026-05-10 10:00' + $1, DATE '2026-05-10' = '2026-05-10';
-- $1 = 1.5
SELECT INTERVAL '1 day' * $1;
-- $1 = {2,3}
SELECT ARRAY[1] || $1;
-- $1 = b
SELECT 'a' || $1, 'abc'::varchar = $1;
-- $1 = 2
SELECT substr('abc', $1), left('abc', $1), round(1.255, $1);
-- $1 = {"a": 1}
SELECT '{"a": 1, "b": 2}'::jsonb @> $1;
-- $1 = b
SELECT '{"a": 1, "b": 2}'::jsonb -> $1;
-- $1 = 2
SELECT * FROM (VALUES (1), ($1)) t(x) ORDER BY 1;
-- $1 = 5
-- $2 = acme
SELECT lag(session, $1, $2) OVER (ORDER BY session) FROM archive.sessions ORDER BY session LIMIT 8;
-- $1 = 2026-05-10
SELECT now() > $1, (DATE '2026-05-01', DATE '2026-05-12') OVERLAPS ($1, DATE '2026-05-20');
-- $1 = abc
SELECT $1::varchar(2), $1::varchar;
