"""pg8000, which names the types of most values and sends texts."""
from contract import *
import pg8000.native

connection = pg8000.native.Connection(USER, host=HOST, port=PORT, database=DATABASE, password=PASSWORD)


def run(text, **values):
    return connection.run(text, **values)


tell("tls", run("SHOW ssl")[0][0])
tell("pages", pages(lambda n, at: [row[0] for row in run(PAGE.format(":n", ":at"), n=n, at=at)]))
got = {}
for kind, value in VALUES.items():
    got[kind] = run(f"SELECT cast(:value AS {kind})", value=value)[0][0]
tell("values", got)
tell("nulls", {kind: run(f"SELECT cast(:value AS {kind})", value=None)[0][0] for kind in VALUES})
tell("reads", reads(run(READS)[0]))
tell("any", run(ANY.format(":subjects"), subjects=SUBJECTS)[0][0])
tell("since", run(SINCE.format(":since"), since=datetime.datetime(2026, 5, 10, 8, 30, tzinfo=UTC))[0][0])
error = failure(lambda: run("SELECT subject FROM archive.events LIMIT :n", n=-1))
tell("negative limit", error.args[0]["C"])
error = failure(lambda: run(UNKNOWN))
tell("unknown column", [error.args[0]["C"], type(error).__name__])
tell("afterwards", run("SELECT 7::int4")[0][0])
connection.close()
