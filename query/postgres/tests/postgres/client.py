"""Typical queries with pandas and SQLAlchemy. Prints "done" if all checks pass."""

import sys
from urllib.parse import quote

import pandas
import psycopg
import sqlalchemy

port, password, certificate = sys.argv[1:]
tls = f"sslmode=verify-full&sslrootcert={quote(certificate)}"
url = f"postgresql+psycopg://manager:{quote(password)}@127.0.0.1:{port}/holdfast?{tls}"
engine = sqlalchemy.create_engine(url)

with engine.connect() as connection:
    statement = "select subject, rating, time from events where rating >= :least order by subject"
    frame = pandas.read_sql_query(sqlalchemy.text(statement), connection, params={"least": 4})
    assert len(frame) == 16, len(frame)
    assert frame["rating"].tolist()[:2] == [4, 5], frame["rating"].tolist()
    assert str(frame["time"].iloc[0]) == "2026-05-10 08:03:50.123456+00:00", frame["time"].iloc[0]

with engine.connect().execution_options(stream_results=True, max_row_buffer=10) as connection:
    parts = list(pandas.read_sql_query(sqlalchemy.text("select id from events order by id"), connection, chunksize=50))
    assert [len(part) for part in parts] == [50, 50, 20], [len(part) for part in parts]

inspector = sqlalchemy.inspect(engine)
assert inspector.default_schema_name == "archive", inspector.default_schema_name
assert "archive" in inspector.get_schema_names()
assert "events" in inspector.get_table_names("archive"), inspector.get_table_names("archive")
assert "sessions" in inspector.get_view_names("archive"), inspector.get_view_names("archive")
assert inspector.has_table("events", "archive")
columns = {column["name"]: column["type"] for column in inspector.get_columns("sessions", "archive")}
assert isinstance(columns["session"], sqlalchemy.types.TEXT), columns
assert isinstance(columns["rating"], sqlalchemy.types.INTEGER), columns
assert columns["started_at"].timezone, columns

sessions = sqlalchemy.Table("sessions", sqlalchemy.MetaData(), schema="archive", autoload_with=engine)
with engine.connect() as connection:
    query = sqlalchemy.select(sqlalchemy.func.count()).select_from(sessions).where(sessions.c.rating >= 4)
    assert connection.execute(query).scalar() == 16
events = sqlalchemy.Table("events", sqlalchemy.MetaData(), autoload_with=engine)
assert {"id", "subject", "kafka_offset"} <= set(events.columns.keys()), events.columns.keys()

dsn = f"host=127.0.0.1 port={port} dbname=holdfast user=manager password='{password}' sslmode=disable"
with psycopg.connect(dsn) as connection:
    with connection.cursor(binary=True) as cursor:
        cursor.execute("select kafka_offset, subject, time from events where subject = %s order by 1", ["S-007"])
        rows = cursor.fetchall()
        assert [row[0] for row in rows] == [21, 22, 23] and rows[0][2].microsecond == 123456, rows
    with connection.cursor("named") as cursor:
        cursor.itersize = 9
        cursor.execute("select id from events where kafka_offset >= %s", [100])
        assert len(list(cursor)) == 20
    try:
        connection.execute("delete from events")
        raise AssertionError("the delete succeeded")
    except psycopg.errors.ReadOnlySqlTransaction:
        connection.rollback()

print("done")
