"""Arrow's ADBC driver. It reads results by COPY unless it is told not to; COPY is refused here."""
from contract import *
import adbc_driver_postgresql.dbapi as adbc

with adbc.connect(f"postgresql://{USER}:{PASSWORD.replace(' ', '%20')}@{HOST}:{PORT}/{DATABASE}", autocommit=True) as connection:
    cursor = connection.cursor(adbc_stmt_kwargs={"adbc.postgresql.use_copy": "false"})

    def run(text, values=None):
        cursor.execute(text, values)
        return cursor.fetch_arrow_table()

    tell("tls", run("SHOW ssl").column(0)[0].as_py())
    tell("pages", pages(lambda n, at: run(PAGE.format("$1", "$2"), (n, at)).column(0).to_pylist()))
    kinds = ["bool", "int2", "int4", "int8", "float4", "float8", "text", "date", "timestamp", "timestamptz", "bytea"]
    tell("some values (binary)", {kind: run(f"SELECT $1::{kind}", (VALUES[kind],)).column(0)[0].as_py() for kind in kinds})
    table = run("SELECT subject, rating, time, ARRAY['a b', NULL] AS texts FROM archive.events WHERE id = 'S-003-50'")
    tell("types", [str(field.type) for field in table.schema])
    tell("row", [table.column("time")[0].as_py(), table.column("texts")[0].as_py()])
    tell("since", run(SINCE.format("$1"), (datetime.datetime(2026, 5, 10, 8, 30, tzinfo=UTC),)).column(0)[0].as_py())
    error = failure(lambda: run(UNKNOWN))
    tell("unknown column", [error.sqlstate, type(error).__name__])
    by_copy = connection.cursor()
    error = failure(lambda: (by_copy.execute("SELECT subject FROM archive.events"), by_copy.fetch_arrow_table()))
    tell("copy", error.sqlstate)
    tell("cancelled", cancelled(lambda: run(ENDLESS), cursor.adbc_cancel).sqlstate)
    cursor = connection.cursor(adbc_stmt_kwargs={"adbc.postgresql.use_copy": "false"})
    tell("afterwards", run("SELECT 7::int4").column(0)[0].as_py())
