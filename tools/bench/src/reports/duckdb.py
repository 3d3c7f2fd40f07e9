"""Asks DuckDB what standard input asks: a line of JSON for what there is, and then one for each question and its answer.

The statements are those of Holdfast; only the functions of JSON, which every engine names in its own way, are put into
DuckDB's words. Where a question comes with the Parquet file of another answer, `differing` counts the rows that are not the
same in both.
"""

import json
import re
import sys
import time

import duckdb

WORDS = [
    (r"json_get_array\((case when .*? end|[\w.]+)\)", r"cast(cast(\1 as json[]) as varchar[])"),
    (r"json_get_(?:int)\(([\w.]+), ('\w+')\)", r"cast(\1 ->> \2 as bigint)"),
    (r"json_get_(?:float)\(([\w.]+), ('\w+')\)", r"cast(\1 ->> \2 as double)"),
    (r"json_get_(?:bool)\(([\w.]+), ('\w+')\)", r"cast(\1 ->> \2 as boolean)"),
    (r"\blast_value\((\w+) order by", r"last(\1 order by"),
    # What follows an arrow binds less in DuckDB than what stands around it.
    (r"([\w.]+) ->> ('\w+')", r"(\1 ->> \2)"),
]


# The engine that is measured finds out by itself that a filter on the type reaches both sides of the anti-join. DuckDB is
# helped: it looks for repetitions of these types alone.
ONCE = re.compile(r"from archive\.deduplicated_events\n    where (type .*)\n")
ORDER = "partition by subject, type, source, id order by kafka_topic, kafka_partition, kafka_offset"


def translated(sql):
    sql = ONCE.sub(rf"from (select * from archive.events where \1 qualify row_number() over ({ORDER}) = 1)\n", sql)
    for pattern, replacement in WORDS:
        sql = re.sub(pattern, replacement, sql)
    return sql


def is_same(one, other):
    """Fractions are rounded by the reports, mostly to one digit: a half may have gone up here and down there."""
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= max(0.1001, 1e-9 * abs(one))
    return one == other


def differing(ours, theirs):
    def in_order(rows):
        return sorted(rows, key=lambda row: [str(value) for value in row if not isinstance(value, float)])

    pairs = zip(in_order(ours), in_order(theirs))
    return abs(len(ours) - len(theirs)) + sum(not all(map(is_same, one, other)) for one, other in pairs)


def main():
    task = json.loads(sys.stdin.readline())
    engine = duckdb.connect()
    engine.execute(f"set threads = {task['threads']}")
    engine.execute("set timezone = 'UTC'")
    # It would be drawn among what is told.
    engine.execute("set enable_progress_bar = false")
    engine.execute("create schema archive; create schema crm")
    for table, name in [("events", "events"), ("sessions", "session_states")]:
        files = f"{task['plain']}/{table}/*.parquet"
        engine.execute(f"create view archive.{name} as select * from read_parquet('{files}')")
    for name, sql in task["views"]:
        engine.execute(f"create view archive.{name} as {translated(sql)}")
    engine.execute("create view crm.tickets as select * from archive.tickets")

    for line in sys.stdin:
        question = json.loads(line)
        sql = translated(question["sql"])
        began = time.perf_counter()
        rows = engine.execute(sql).fetchall()
        told = {"seconds": time.perf_counter() - began, "rows": len(rows)}
        if "answer" in question:
            ours = engine.execute(f"select * from read_parquet('{question['answer']}')").fetchall()
            told["differing"] = differing(ours, rows)
        print(json.dumps(told), flush=True)


main()
