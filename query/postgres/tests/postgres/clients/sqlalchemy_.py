"""SQLAlchemy with psycopg 3 and with asyncpg's dialect of types, and pandas over it."""
from contract import *
import sqlalchemy
from sqlalchemy import text

url = sqlalchemy.URL.create("postgresql+psycopg", USER, PASSWORD, HOST, PORT, DATABASE)
engine = sqlalchemy.create_engine(url, pool_pre_ping=True)
with engine.connect() as connection:
    run = lambda statement, **values: connection.execute(text(statement), values)
    tell("tls", run("SHOW ssl").scalar())
    events = sqlalchemy.Table("events", sqlalchemy.MetaData(), schema="archive", autoload_with=engine)
    started = sqlalchemy.select(events.c.subject).where(events.c.type == "session.started").order_by(events.c.subject)
    tell("pages", pages(lambda n, at: list(connection.execute(started.limit(n).offset(at)).scalars())))
    tell("reads", reads(run(READS.replace("'c\"d,{}'", "'c\"d,{}'")).one()))
    tell("any", run(ANY.format(":subjects"), subjects=SUBJECTS).scalar())
    among = sqlalchemy.select(sqlalchemy.func.count()).select_from(events).where(events.c.subject.in_(SUBJECTS))
    tell("in", connection.execute(among).scalar())
    tell("since", run(SINCE.format(":since"), since=datetime.datetime(2026, 5, 10, 8, 30, tzinfo=UTC)).scalar())
    error = failure(lambda: run(UNKNOWN))
    tell("unknown column", [error.orig.sqlstate, type(error).__name__])
    connection.rollback()
    tell("afterwards", run("SELECT 7::int4").scalar())
with engine.connect().execution_options(isolation_level="SERIALIZABLE", postgresql_readonly=True) as connection:
    modes = [connection.execute(text(f"SHOW transaction_{mode}")).scalar() for mode in ("read_only", "isolation")]
    tell("modes", modes)
with engine.connect().execution_options(stream_results=True, max_row_buffer=7) as connection:
    tell("cursor", sum(1 for _ in connection.execute(sqlalchemy.select(events.c.id))))

import pandas  # noqa: E402

frame = pandas.read_sql_query(text("SELECT subject, rating, time FROM archive.events WHERE rating >= :least ORDER BY subject"), engine, params={"least": 5})
tell("frame", [len(frame), str(frame["time"].dtype)[:10], frame["subject"].iloc[0], int(frame["rating"].iloc[0])])
