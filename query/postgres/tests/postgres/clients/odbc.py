"""psqlODBC through pyodbc. The driver of Debian is named by its file, as sixth argument."""
from contract import *
import pyodbc

options = f"Driver={sys.argv[6]};Servername={HOST};Port={PORT};Database={DATABASE};Uid={USER};Pwd={PASSWORD};"
connection = pyodbc.connect(options, autocommit=True)
cursor = connection.cursor()
run = lambda text, *values: cursor.execute(text, *values).fetchall()
tell("tls", run("SHOW ssl")[0][0])
tell("pages", pages(lambda n, at: [row[0] for row in run(PAGE.format("?", "?"), n, at)]))
kinds = ["bool", "int2", "int4", "int8", "float8", "text", "date", "timestamp", "bytea"]
got = {kind: run(f"SELECT ?::{kind}", VALUES[kind])[0][0] for kind in kinds}
tell("some values", {kind: value in (True, "1") if kind == "bool" else value for kind, value in got.items()})
numbers = run("SELECT rating::numeric(10,2), time FROM archive.events WHERE id = 'S-003-50'")[0]
tell("row", [numbers[0], numbers[1]])
tell("since", run(SINCE.format("?"), datetime.datetime(2026, 5, 10, 8, 30))[0][0])
error = failure(lambda: run(UNKNOWN))
tell("unknown column", [error.args[0], type(error).__name__])
tell("cancelled", cancelled(lambda: run(ENDLESS), cursor.cancel).args[0])
tell("afterwards", run("SELECT 7::int4")[0][0])
connection.close()
fetched = pyodbc.connect(options + "UseDeclareFetch=1;Fetch=7", autocommit=True)
tell("cursor", len(fetched.cursor().execute("SELECT id FROM archive.events ORDER BY id").fetchall()))
