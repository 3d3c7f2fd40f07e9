"""Reads an archive with only docs/formats.md, PyArrow and pyrage, and verifies it against its proof log.

    python read_parquet.py ARCHIVE IDENTITY [FILE]

FILE is a data file, relative to ARCHIVE: the number of its rows and some of their columns are printed, as JSON on one
line each. Then every batch in the proof log is computed again from the rows, and so are the digests of files and
objects and the order of the log. The last line has the counts of what was compared. A difference is printed to standard
error, and the exit code is 1. Batches of a class and date that were disposed of are passed over.
"""

import base64
import collections
import hashlib
import json
import os
import pathlib
import struct
import sys

import pyarrow
import pyarrow.parquet as parquet
import pyarrow.parquet.encryption as encryption
import pyrage

# The columns of the tables in the order of their numbers, up to the last one in a record.
COLUMNS = {
    "events": (
        "id source type subject time ticket agent portal customer datacontenttype dataschema archived_at kafka_topic "
        "kafka_partition kafka_offset time_implausible problems seq sender participant_id role visibility mode queue skill "
        "reason kind rating resolved resolution ended_by duration waited recording_id media_type first_ms last_ms last size "
        "sha256 object_path object_offset operational personal extensions data data_binary"
    ).split(),
    "dead_letters": (
        "kafka_topic kafka_partition kafka_offset kafka_time archived_at reason message key headers value"
    ).split(),
}
LEFT_OUT = {"kafka_topic", "kafka_partition", "object_path", "object_offset"}
TIMES = {"time", "archived_at", "kafka_time"}
SHOWN = ["time", "type", "subject", "kafka_topic", "kafka_partition", "kafka_offset"]


class Age(encryption.KmsClient):
    """The client of docs/formats.md."""

    def __init__(self, config):
        super().__init__()
        self.identities = config.custom_kms_conf  # masterKeyID -> AGE-SECRET-KEY-1...

    def wrap_key(self, key_bytes, master_key_identifier):
        raise NotImplementedError("this client only reads")

    def unwrap_key(self, wrapped_key, master_key_identifier):
        identity = pyrage.x25519.Identity.from_str(self.identities[master_key_identifier])
        return pyrage.decrypt(base64.b64decode(wrapped_key), [identity])


class Archive:
    def __init__(self, root, identity):
        self.root = pathlib.Path(root)
        lines = pathlib.Path(identity).read_text().splitlines()
        holders = [pyrage.x25519.Identity.from_str(line) for line in lines if line.startswith("AGE-SECRET-KEY-")]
        master_keys = {}
        for path in sorted(self.root.glob("keys/*/*/*.age")):
            try:
                ring = pyrage.decrypt(path.read_bytes(), holders).decode()
            except pyrage.DecryptError:
                continue  # of a tier without this holder
            master_keys[path.relative_to(self.root / "keys").with_suffix("").as_posix()] = ring.splitlines()[-1]
        self.factory = encryption.CryptoFactory(Age)
        self.connection = encryption.KmsConnectionConfig(custom_kms_conf=master_keys)

    def file(self, path):
        keys = self.factory.file_decryption_properties(self.connection)
        return parquet.ParquetFile(self.root / path, decryption_properties=keys)

    def rows(self, path):
        """The rows as dictionaries; times are microseconds since 1970, and every row has its secret."""
        table = self.file(path).read()
        columns = []
        for column in table.columns:
            is_time = pyarrow.types.is_timestamp(column.type)
            columns.append((column.cast(pyarrow.int64()) if is_time else column).to_pylist())
        rows = [dict(zip(table.column_names, values)) for values in zip(*columns)]
        for before, row in zip(rows, rows[1:]):
            row["proof_secret"] = row["proof_secret"] or before["proof_secret"]
        return rows

    def entries(self, table):
        """The entries of a Delta log, in order: lists of actions."""
        for path in sorted(self.root.glob(f"tables/{table}/_delta_log/*.json")):
            yield [json.loads(line) for line in path.read_text().splitlines() if line]


def varint(number):
    encoded = bytearray()
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(encoded + bytes([number]))


def salt(row):
    secret, partition, topic = row["proof_secret"], row["kafka_partition"], row["kafka_topic"].encode()
    stream = hashlib.sha256(b"holdfast salts 1\n" + secret + struct.pack(">i", partition) + topic).digest()
    offset = row["kafka_offset"]
    pair = hashlib.sha256(stream + struct.pack(">q", offset >> 1)).digest()
    return pair[:16] if offset % 2 == 0 else pair[16:]


def column(name, value):
    if isinstance(value, bool):
        return bytes([value])
    if isinstance(value, int):
        return struct.pack(">q", value) if name in TIMES else varint(value * 2 if value >= 0 else -value * 2 - 1)
    if isinstance(value, float):
        return struct.pack(">d", value)
    value = value.encode() if isinstance(value, str) else value
    return varint(len(value)) + value


def record(table, row):
    columns = [(number, name) for number, name in enumerate(COLUMNS[table]) if name not in LEFT_OUT]
    present = [(number, name) for number, name in columns if row[name] is not None]
    return salt(row) + b"".join(bytes([number]) + column(name, row[name]) for number, name in present)


def leaf_hash(value):
    return hashlib.sha256(b"\x00" + value).digest()


def root(hashes):
    """RFC 6962, section 2.1."""
    if not hashes:
        return hashlib.sha256().digest()
    while len(hashes) > 1:
        pairs = [hashes[at : at + 2] for at in range(0, len(hashes), 2)]
        hashes = [hashlib.sha256(b"\x01" + b"".join(pair)).digest() if len(pair) == 2 else pair[0] for pair in pairs]
    return hashes[0]


def text(digest):
    return base64.b64encode(digest).decode()


class Difference(Exception):
    pass


def same(what, found, expected):
    if found != expected:
        raise Difference(f"{what}: {found!r} is not {expected!r}")


def attested(entry):
    """The leaves of an entry, as texts."""
    info = next((action["commitInfo"] for action in entry if "commitInfo" in action), {})
    return info.get("holdfastProof", {}).get("leaves", [])


def live_files(archive, table):
    live = {}
    for entry in archive.entries(table):
        for action in entry:
            if "add" in action:
                live[action["add"]["path"]] = action["add"]
            elif "remove" in action:
                live.pop(action["remove"]["path"], None)
    return live


def check_table(archive, table, counts):
    groups = collections.defaultdict(list)  # (class, date, topic, partition) -> rows
    leaves = [json.loads(leaf) for entry in archive.entries(table) for leaf in attested(entry)]
    disposed = {(leaf["class"], leaf["date"]) for leaf in leaves if leaf["leaf"] == "disposal"}
    objects = {}  # SHA-256 of a path -> path
    present = {}  # id -> path
    bounds = {}  # id -> rows, and least and greatest time
    for path, add in live_files(archive, table).items():
        folder = f"tables/{table}"
        filed = (add["partitionValues"]["class"], add["partitionValues"]["date"])
        same(f"folder of {path}", path.rpartition("/")[0], f"class={filed[0]}/date={filed[1]}")
        name = path.rpartition("/")[2].removesuffix(".parquet")
        present[name] = f"{folder}/{path}"
        rows = archive.rows(f"{folder}/{path}")
        same(f"rows of {path}", len(rows), json.loads(add["stats"])["numRecords"])
        times = [row["time" if table == "events" else "archived_at"] for row in rows]
        bounds[name] = (len(rows), [min(times), max(times)])
        for row in rows:
            groups[(*filed, row["kafka_topic"], row["kafka_partition"])].append(row)
            if row.get("object_path"):
                objects[hashlib.sha256(row["object_path"].encode()).hexdigest()] = row["object_path"]
    for rows in groups.values():
        rows.sort(key=lambda row: row["kafka_offset"])

    covered = 0
    for leaf in leaves:
        if leaf["leaf"] == "batch":
            covered += check_batch(table, leaf, groups, disposed, counts)
        elif leaf["leaf"] == "files":
            added = [(present.get(file["id"]), file) for file in leaf.get("add", [])]
            for path, file in added + [(objects.get(file["id"]), file) for file in leaf.get("objects", [])]:
                if path:
                    content = (archive.root / path).read_bytes()
                    same(f"size of {path}", len(content), file["size"])
                    same(f"SHA-256 of {path}", text(hashlib.sha256(content).digest()), file["sha256"])
                    counts["files"] += 1
                if file["id"] in bounds:
                    rows = (file.get("rows", 0), file.get("time"))
                    same(f"rows and times of {path}", rows, bounds[file["id"]])
    same(f"rows of {table} without a batch", sum(map(len, groups.values())) - covered, 0)


def check_batch(table, leaf, groups, disposed, counts):
    """Compares a batch with its rows, and returns the number of rows."""
    same("table of a batch", leaf["table"], table)
    filed = (leaf["class"], leaf["date"])
    group = groups[(*filed, leaf["topic"], leaf["partition"])]
    rows = [row for row in group if leaf["first"] <= row["kafka_offset"] < leaf["next"]]
    what = f"batch {table} {filed} {leaf['topic']} {leaf['partition']} {leaf['first']}..{leaf['next']}"
    if len(rows) < leaf["count"] and filed in disposed:
        counts["passed over"] += 1
        return len(rows)
    same(f"records of {what}", len(rows), leaf["count"])
    same(f"bounds of {what}", (rows[0]["kafka_offset"], rows[-1]["kafka_offset"] + 1), (leaf["first"], leaf["next"]))
    hashes = [leaf_hash(record(table, row)) for row in rows]
    same(f"root of {what}", text(root(hashes)), leaf["root"])
    if "groups" in leaf:
        of_each = [text(root(hashes[at : at + 256])) for at in range(0, len(hashes), 256)]
        same(f"groups of {what}", of_each, leaf["groups"])
    counts["batches"] += 1
    counts["records"] += len(rows)
    return len(rows)


def bundle_path(number, count):
    name = f"{number % 1000:03}"
    while number >= 1000:
        number //= 1000
        name = f"x{number % 1000:03}/{name}"
    return f"tile/entries/{name}" + (f".p/{count}" if count < 256 else "")


def check_order(archive, counts):
    """Computes the log's order from both Delta logs, and compares it with the entry bundles."""
    dead_letters = [attested(entry) for entry in archive.entries("dead_letters")]
    leaves, taken = [], 0
    for entry in archive.entries("events"):
        own = attested(entry)
        before = json.loads(own[0]).get("dead_letters") if own else None
        while before is not None and taken <= before:
            leaves += dead_letters[taken]
            taken += 1
        leaves += own
    lines = (archive.root / "proof/checkpoint").read_text().splitlines()
    size = int(lines[1])
    bundles = [leaves[at : at + 256] for at in range(0, size, 256)]
    for number, bundle in enumerate(bundles):
        bundle = bundle[: size - number * 256]
        expected = b"".join(struct.pack(">H", len(leaf.encode())) + leaf.encode() for leaf in bundle)
        path = bundle_path(number, len(bundle))
        same(path, (archive.root / "proof" / path).read_bytes(), expected)
    same("root of the checkpoint", text(root([leaf_hash(leaf.encode()) for leaf in leaves[:size]])), lines[2])
    counts["leaves"] = size


def main(archive, identity, file=None):
    archive = Archive(archive, identity)
    if file:
        names = [name for name in SHOWN if name in archive.file(file).schema_arrow.names]
        table = archive.file(file).read(columns=names)
        print(json.dumps({"rows": table.num_rows}))
        for row in table.to_pylist():
            print(json.dumps(row, default=str))
    counts = collections.Counter()
    for table in ["events", "dead_letters"]:
        check_table(archive, table, counts)
    check_order(archive, counts)
    print(json.dumps({"same": counts}))


if __name__ == "__main__":
    code = 0
    try:
        main(*sys.argv[1:])
    except Difference as difference:
        print(difference, file=sys.stderr)
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit: PyArrow's threads sometimes abort a process during a normal exit.
    os._exit(code)
