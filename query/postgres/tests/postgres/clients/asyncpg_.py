"""asyncpg, which sends every value in binary and of the type that the server tells."""
from contract import *
import asyncio, asyncpg


async def main():
    connection = await asyncpg.connect(host=HOST, port=PORT, database=DATABASE, user=USER, password=PASSWORD)
    tell("tls", await connection.fetchval("SHOW ssl"))
    got = []
    for offset in range(0, 48, 8):
        got += [row[0] for row in await connection.fetch(PAGE.format("$1", "$2"), 8, offset)]
    tell("pages", got)
    tell("values (binary)", {kind: await connection.fetchval(f"SELECT $1::{kind}", value) for kind, value in VALUES.items()})
    tell("nulls (binary)", {kind: await connection.fetchval(f"SELECT $1::{kind}", None) for kind in VALUES})
    tell("reads", reads(await connection.fetchrow(READS)))
    tell("any", await connection.fetchval(ANY.format("$1"), SUBJECTS))
    tell("since", await connection.fetchval(SINCE.format("$1"), datetime.datetime(2026, 5, 10, 8, 30, tzinfo=UTC)))
    tell("no rows", len(await connection.fetch(PAGE.format("$1", "$2"), 8, 2**31 + 1)))
    try:
        await connection.fetch("SELECT subject FROM archive.events LIMIT $1", -1)
    except asyncpg.PostgresError as error:
        tell("negative limit", error.sqlstate)
    try:
        await connection.fetch(UNKNOWN)
    except asyncpg.PostgresError as error:
        tell("unknown column", [error.sqlstate, type(error).__name__])
    # The driver cancels what runs out of time.
    try:
        await connection.fetch(ENDLESS, timeout=0.4)
    except asyncio.TimeoutError:
        tell("cancelled", "57014")
    tell("afterwards", await connection.fetchval("SELECT 7::int4"))
    async with connection.transaction(isolation="serializable", readonly=True, deferrable=True):
        rows = [row async for row in connection.cursor("SELECT id FROM archive.events ORDER BY id", prefetch=7)]
        tell("cursor", len(rows))
        modes = [await connection.fetchval(f"SHOW transaction_{mode}") for mode in ("read_only", "isolation", "deferrable")]
        tell("transaction", modes)
    await connection.reset()
    await connection.close()


asyncio.run(main())
