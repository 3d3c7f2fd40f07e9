"""What every program of this folder does, for those in Python. Each prints one line of JSON for each check:
{"check": "...", "got": ...}. What is right stands once, in ../clients.rs.

    program HOST PORT USER PASSWORD CERTIFICATE
"""
import datetime, decimal, json, sys, threading, uuid

HOST, PORT, USER, PASSWORD, CERTIFICATE = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4], sys.argv[5]
DATABASE = "holdfast"
PAGE = "SELECT subject FROM archive.events WHERE type = 'session.started' ORDER BY subject LIMIT {} OFFSET {}"
ANY = "SELECT count(*) AS count FROM archive.events WHERE subject = ANY({})"
SUBJECTS = ["S-001", "S-002", "nobody"]
SINCE = "SELECT count(*) AS count FROM archive.events WHERE time >= {}"
READS = """SELECT time, time - timestamptz '2026-05-08 04:03:02+00' AS since, rating::numeric(10,2) AS rating,
    ARRAY['a b', NULL, 'c"d,{}'] AS texts, ARRAY[1::int4, NULL, 3::int4] AS numbers
    FROM archive.events WHERE id = 'S-003-50'"""
UNKNOWN = "SELECT nothing FROM archive.events"
ENDLESS = "SELECT count(*) AS count FROM generate_series(1, 1000000000000) AS a(value) WHERE a.value % 7 = 9"

UTC = datetime.timezone.utc
VALUES = {
    "bool": True,
    "int2": -1234,
    "int4": 123456789,
    "int8": 9007199254740993,
    "float4": 1.5,
    "float8": 0.1,
    "numeric(20,9)": decimal.Decimal("1234567890.123456789"),
    "text": "grüße 'q' \"d\" \\",
    "date": datetime.date(2026, 11, 20),
    "timestamp": datetime.datetime(2026, 11, 20, 5, 6, 7, 123456),
    "timestamptz": datetime.datetime(2026, 11, 20, 5, 6, 7, 123456, tzinfo=UTC),
    "interval": datetime.timedelta(days=3, hours=4, minutes=5, seconds=6, milliseconds=789),
    "uuid": uuid.UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    "bytea": b"\x00\xffA",
    "int4[]": [1, None, 3],
    "text[]": ["a b", None, 'c"d,{}'],
    "json": '{"a": [1, 2]}',
}


def plain(value):
    """A value as JSON has it. Numerics, large numbers and what JSON lacks are texts; intervals are microseconds."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else str(value)
    if isinstance(value, float):
        return value
    if isinstance(value, decimal.Decimal):
        return str(value)
    if isinstance(value, datetime.datetime):
        if value.tzinfo is not None:
            return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
        return value.isoformat(timespec="microseconds")
    if isinstance(value, datetime.timedelta):
        return value // datetime.timedelta(microseconds=1)
    if isinstance(value, (datetime.date, uuid.UUID)):
        return str(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    if isinstance(value, dict):
        return json.dumps(value)
    return [plain(part) for part in value]


def tell(check, got):
    print(json.dumps({"check": check, "got": plain_all(got)}), flush=True)


def plain_all(got):
    if isinstance(got, dict):
        return {name: plain(value) for name, value in got.items()}
    return plain(got)


def pages(page):
    """The pages of eight that `page(limit, offset)` returns, as one list."""
    got = []
    for offset in range(0, 48, 8):
        got += page(8, offset)
    return got


def reads(row):
    """A row of READS."""
    time, since, rating, texts, numbers = row
    return {"time": time, "since": since, "rating": rating, "texts": texts, "numbers": numbers}


def cancelled(run, cancel):
    """The exception of `run()`, which `cancel()` ends from another thread."""
    timer = threading.Timer(0.4, cancel)
    timer.start()
    try:
        run()
    except Exception as error:  # noqa: BLE001
        return error
    finally:
        timer.join()
    raise SystemExit("the statement was not cancelled")


def failure(run):
    """The exception of `run()`."""
    try:
        run()
    except Exception as error:  # noqa: BLE001
        return error
    raise SystemExit("the statement did not fail")
