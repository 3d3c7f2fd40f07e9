#!/bin/sh
# psql, which writes the values of its variables into the statement.
#   psql.sh HOST PORT USER PASSWORD
export PGPASSWORD="$4"
connection="host=$1 port=$2 user=$3 dbname=holdfast"
psql -X -q -At "$connection" <<'SQL'
\set n 48
\set at 0
\set since '2026-05-10 08:30:00+00'
SHOW ssl \gset
\echo {"check": "tls", "got": :"ssl"}
SELECT string_agg('"' || subject || '"', ', ' ORDER BY subject) AS page FROM (SELECT subject FROM archive.events WHERE type = 'session.started' ORDER BY subject LIMIT :n OFFSET :at) AS page \gset
\echo {"check": "pages", "got": [:page]}
SELECT count(*) AS count FROM archive.events WHERE time >= :'since' \gset
\echo {"check": "since", "got": :count}
SELECT nothing FROM archive.events;
\echo {"check": "unknown column", "got": [:"SQLSTATE", "psql"]}
SELECT subject FROM archive.events LIMIT -1;
\echo {"check": "negative limit", "got": :"SQLSTATE"}
SELECT 7::int4 AS seven \gset
\echo {"check": "afterwards", "got": :seven}
SQL
# The terminal's interrupt cancels the statement.
endless="SELECT count(*) AS count FROM generate_series(1, 1000000000000) AS a(value) WHERE a.value % 7 = 9"
out=$(timeout --foreground -s INT 1 psql -X -q -At -v VERBOSITY=sqlstate "$connection" -c "$endless" 2>&1)
echo "$out" | sed -n 's/^ERROR:  \([0-9A-Z]\{5\}\)$/{"check": "cancelled", "got": "\1"}/p'
