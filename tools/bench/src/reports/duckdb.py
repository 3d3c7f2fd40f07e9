"""Executes statements in DuckDB: the first line of standard input is the task, each other line a statement, as JSON.

The statements are those of Holdfast. Only the functions for JSON, which each engine names differently, are translated. If a
statement has the Parquet file of an expected result, `differing` counts the rows that are not the same in both. A line may
have lists of statements instead: each list is executed by a client of its own, all at once.
"""

import json
import re
import sys
import threading
import time
from decimal import Decimal

import duckdb

FUNCTIONS = [
    (r"json_get_array\((case when .*? end|[\w.]+)\)", r"cast(cast(\1 as json[]) as varchar[])"),
    (r"json_get_(?:int)\(([\w.]+), ('\w+')\)", r"cast(\1 ->> \2 as bigint)"),
    (r"json_get_(?:float)\(([\w.]+), ('\w+')\)", r"cast(\1 ->> \2 as double)"),
    (r"json_get_(?:bool)\(([\w.]+), ('\w+')\)", r"cast(\1 ->> \2 as boolean)"),
    (r"json_get_str\(([\w.]+), ('\w+')\)", r"(\1 ->> \2)"),
    (r"\blast_value\((\w+) order by", r"last(\1 order by"),
    # In DuckDB the arrow has a lower precedence than the operators around it.
    (r"([\w.]+) ->> ('\w+')", r"(\1 ->> \2)"),
]


# Holdfast pushes a filter on the type down to both sides of the anti-join. For DuckDB the statement is rewritten, so that it
# searches for duplicates of these types only.
ONCE = re.compile(r"from archive\.deduplicated_events\n    where (type .*)\n")
ORDER = "partition by subject, type, source, id order by kafka_topic, kafka_partition, kafka_offset"


def translated(sql):
    sql = ONCE.sub(rf"from (select * from archive.events where \1 qualify row_number() over ({ORDER}) = 1)\n", sql)
    for pattern, replacement in FUNCTIONS:
        sql = re.sub(pattern, replacement, sql)
    return sql


def is_same(one, other):
    """The reports round fractions, mostly to one digit. The engines may round a half differently."""
    one, other = (float(value) if isinstance(value, Decimal) else value for value in (one, other))
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= max(0.1001, 1e-9 * abs(one))
    return one == other


def differing(expected, found):
    def in_order(rows):
        return sorted(rows, key=lambda row: [str(value) for value in row if not isinstance(value, float)])

    pairs = zip(in_order(expected), in_order(found))
    return abs(len(expected) - len(found)) + sum(not all(map(is_same, one, other)) for one, other in pairs)


def at_once(engine, clients):
    problems = []

    def client(statements):
        cursor = engine.cursor()
        for sql in statements:
            try:
                cursor.execute(sql).fetchall()
            except Exception as problem:
                problems.append(str(problem))

    threads = [threading.Thread(target=client, args=([translated(sql) for sql in sqls],)) for sqls in clients]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"seconds": time.perf_counter() - began, "rows": 0, "problem": problems[0] if problems else None}


def main():
    task = json.loads(sys.stdin.readline())
    engine = duckdb.connect()
    engine.execute(f"set threads = {task['threads']}")
    engine.execute("set timezone = 'UTC'")
    # It would be printed to standard output, among the results.
    engine.execute("set enable_progress_bar = false")
    engine.execute("create schema archive; create schema crm")
    for table, name in [("events", "events"), ("sessions", "session_states")]:
        files = f"{task['plain']}/{table}/*.parquet"
        engine.execute(f"create view archive.{name} as select * from read_parquet('{files}')")
    for name, sql in task["views"]:
        engine.execute(f"create view archive.{name} as {translated(sql)}")
    engine.execute("create view crm.tickets as select * from archive.tickets")

    for line in sys.stdin:
        request = json.loads(line)
        if "clients" in request:
            print(json.dumps(at_once(engine, request["clients"])), flush=True)
            continue
        sql = translated(request["sql"])
        began = time.perf_counter()
        rows = engine.execute(sql).fetchall()
        executed = {"seconds": time.perf_counter() - began, "rows": len(rows)}
        if "expected" in request:
            expected = engine.execute(f"select * from read_parquet('{request['expected']}')").fetchall()
            executed["differing"] = differing(expected, rows)
        print(json.dumps(executed), flush=True)


main()
