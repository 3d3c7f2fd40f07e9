"""psycopg 2, which writes the values into the statement."""
from contract import *
import psycopg2, psycopg2.extras

psycopg2.extras.register_uuid()
connection = psycopg2.connect(host=HOST, port=PORT, dbname=DATABASE, user=USER, password=PASSWORD)
connection.set_session(readonly=True, autocommit=True, deferrable=False)
cursor = connection.cursor()


def run(text, values=None):
    cursor.execute(text, values)
    return cursor.fetchall()


tell("tls", run("SHOW ssl")[0][0])
tell("pages", pages(lambda n, at: [row[0] for row in run(PAGE.format("%s", "%s"), (n, at))]))
tell("reads", reads(run(READS)[0]))
tell("any", run(ANY.format("%s"), (SUBJECTS,))[0][0])
tell("since", run(SINCE.format("%s"), (datetime.datetime(2026, 5, 10, 8, 30, tzinfo=UTC),))[0][0])
tell("negative limit", failure(lambda: run("SELECT subject FROM archive.events LIMIT -1")).pgcode)
error = failure(lambda: run(UNKNOWN))
tell("unknown column", [error.pgcode, type(error).__name__])
tell("cancelled", cancelled(lambda: run(ENDLESS), connection.cancel).pgcode)
tell("afterwards", run("SELECT 7::int4")[0][0])
connection.autocommit = False
with connection.cursor("named") as named:
    named.itersize = 7
    named.execute("SELECT id FROM archive.events ORDER BY id")
    tell("cursor", sum(1 for _ in named))
connection.commit()
connection.close()
