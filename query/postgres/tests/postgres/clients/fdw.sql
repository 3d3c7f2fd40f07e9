-- Another PostgreSQL reads the archive by postgres_fdw. The variables are host, port, user and password.
\set ON_ERROR_STOP off
CREATE EXTENSION postgres_fdw;
CREATE SERVER archive FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host :'host', port :'port', dbname 'holdfast', fetch_size '7');
CREATE USER MAPPING FOR CURRENT_USER SERVER archive OPTIONS (user :'user', password :'password');
CREATE SCHEMA archive;
IMPORT FOREIGN SCHEMA archive LIMIT TO (events, sessions) FROM SERVER archive INTO archive;
SELECT json_build_object('check', 'pages', 'got', json_agg(subject)) FROM (SELECT subject FROM archive.events WHERE type = 'session.started' ORDER BY subject LIMIT 48) AS page;
PREPARE by_values(text[], timestamptz) AS SELECT count(*) AS count FROM archive.events WHERE subject = ANY($1) AND time >= $2;
EXECUTE by_values('{S-001,S-002,nobody}', '2026-01-01') \gset
SELECT json_build_object('check', 'any', 'got', :count);
SELECT json_build_object('check', 'since', 'got', count(*)) FROM archive.events WHERE time >= timestamptz '2026-05-10 08:30:00+00';
SELECT json_build_object('check', 'row', 'got', json_build_array(subject, rating, time AT TIME ZONE 'UTC')) FROM archive.events WHERE id = 'S-003-50';
SELECT json_build_object('check', 'join', 'got', count(*)) FROM archive.events JOIN archive.sessions ON subject = session;
CREATE FOREIGN TABLE wrong (nothing text) SERVER archive OPTIONS (schema_name 'archive', table_name 'events');
SELECT nothing FROM wrong;
SELECT json_build_object('check', 'unknown column', 'got', json_build_array(:'SQLSTATE', 'psql'));
SELECT json_build_object('check', 'afterwards', 'got', 7) FROM archive.events WHERE id = 'S-003-50';
