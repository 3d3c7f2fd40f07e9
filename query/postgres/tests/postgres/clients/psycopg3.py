"""psycopg 3, with texts and in binary."""
from contract import *
import psycopg

connection = psycopg.connect(host=HOST, port=PORT, dbname=DATABASE, user=USER, password=PASSWORD, autocommit=True)
tell("tls", connection.execute("SHOW ssl").fetchone()[0])
for name, mark in [("", "%t"), (" (binary)", "%b")]:
    is_binary = mark == "%b"
    run = lambda text, values=None: connection.cursor(binary=is_binary).execute(text, values)
    tell("pages" + name, pages(lambda n, at: [row[0] for row in run(PAGE.format(mark, mark), (n, at)).fetchall()]))
    # Without a cast the driver's own type must do.
    values = {kind: run(f"SELECT {mark}::{kind}", (value,)).fetchone()[0] for kind, value in VALUES.items()}
    tell("values" + name, values)
    tell("nulls" + name, {kind: run(f"SELECT {mark}::{kind}", (None,)).fetchone()[0] for kind in VALUES})
    tell("reads" + name, reads(run(READS).fetchone()))
    tell("any" + name, run(ANY.format(mark), (SUBJECTS,)).fetchone()[0])
since = datetime.datetime(2026, 5, 10, 8, 30, tzinfo=UTC)
tell("since", connection.execute(SINCE.format("%s"), (since,)).fetchone()[0])
ago = "SELECT count(*) FROM archive.events WHERE time > timestamptz '2026-05-10 09:30:00+00' - %s"
tell("ago", connection.execute(ago, (datetime.timedelta(hours=1),)).fetchone()[0])
error = failure(lambda: connection.execute("SELECT subject FROM archive.events LIMIT %s", (-1,)))
tell("negative limit", error.sqlstate)
error = failure(lambda: connection.execute(UNKNOWN))
tell("unknown column", [error.sqlstate, type(error).__name__])
tell("cancelled", cancelled(lambda: connection.execute(ENDLESS), connection.cancel_safe).sqlstate)
tell("afterwards", connection.execute("SELECT 7::int4").fetchone()[0])
# Statements that are prepared on the server, in one round trip.
with connection.pipeline():
    cursors = [connection.execute("SELECT %s::int4 + 1::int4", (number,), prepare=True) for number in range(3)]
tell("pipeline", [cursor.fetchone()[0] for cursor in cursors])
with connection.transaction(), connection.cursor("named") as cursor:
    cursor.itersize = 7
    cursor.execute("SELECT id FROM archive.events ORDER BY id")
    tell("cursor", sum(1 for _ in cursor))
connection.autocommit = False
connection.read_only = True
connection.deferrable = True
connection.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
tell("transaction", [connection.execute(f"SHOW transaction_{mode}").fetchone()[0] for mode in ("read_only", "isolation", "deferrable")])
connection.rollback()
connection.close()
