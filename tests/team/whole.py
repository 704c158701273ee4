#!/usr/bin/env python3
"""A whole team on loopback gives the answers of one machine: `whole.py LARDER [--rows N] [--cluster]`.

A Redis cluster, a bucket and two larder servers take the demo's records through boto3; one server is killed on the way and started again.
What the clients were told is stored must then be online and in the history, and a training dataset built over the bucket must equal,
byte for byte, the one of a single machine that took the same records. With `--cluster` it is also built by a scheduler and two workers, one of
which is killed meanwhile. In the end a machine that knows only the URL shows the catalog in its terminal.
"""

import argparse
import concurrent.futures
import fcntl
import hashlib
import json
import os
import pty
import select
import signal
import struct
import tempfile
import termios
import threading
import time
import zlib

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

import parts

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("larder")
parser.add_argument("--rows", type=int, default=1_500, help="rows of each group, 0 for all of them")
parser.add_argument("--cluster", action="store_true")
options = parser.parse_args()
larder = os.path.abspath(options.larder)
META = {"write_time", "api_invocation_time", "is_deleted"}
BATCH = 25


def say(text):
    print(f"{time.monotonic() - begun:6.1f} s  {text}", flush=True)


def client(service, address):
    return boto3.client(
        service, endpoint_url=f"http://{address}", region_name="us-east-1", aws_access_key_id="any", aws_secret_access_key="any",
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=60),
    )


class Fleet:
    """The servers as a client behind a balancer sees them: one that fails is passed over, until it is back."""

    def __init__(self, addresses):
        self.addresses = addresses
        self.own = threading.local()

    def ask(self, first, operation, **arguments):
        if not hasattr(self.own, "clients"):
            self.own.clients = [client("sagemaker-featurestore-runtime", address) for address in self.addresses]
        for turn in range(60):
            server = self.own.clients[(first + turn) % len(self.own.clients)]
            try:
                return getattr(server, operation)(**arguments)
            except (BotoCoreError, ClientError) as error:
                if isinstance(error, ClientError) and error.response["ResponseMetadata"]["HTTPStatusCode"] < 500:
                    raise
                last = error
                time.sleep(0.05 * turn)
        raise last


def demo(folder):
    """The demo's groups that have a history: their definitions and the rows of some of their identifiers, oldest first."""
    parts.run(larder, folder, "demo", "--no-tui")
    found = {}
    for group in parts.run(larder, folder, "list", answer=True):
        name = group["name"]
        definition = parts.run(larder, folder, "describe", name, answer=True)
        if not definition["offline"]:
            continue  # No history to take records from.
        identifier = definition["record_identifier"]
        limit = f" limit {options.rows}" if options.rows else ""
        order = f'order by "{identifier}", "{definition["event_time"]}", write_time, is_deleted'
        rows = parts.run(larder, folder, "query", f'select * from "{name}" {order}{limit}', "--format", "json")
        found[name] = (definition, json.loads(rows))
    return found


def text(value):
    return [str(item) for item in value] if isinstance(value, list) else value if isinstance(value, str) else json.dumps(value)


def create(address, name, definition):
    features = []
    for feature in definition["features"]:
        entry = {"FeatureName": feature["name"], "FeatureType": feature["type"]}
        if feature.get("collection"):
            entry["CollectionType"] = feature["collection"].capitalize()
            if entry["CollectionType"] == "Vector":
                entry["CollectionConfig"] = {"VectorConfig": {"Dimension": feature["dimension"]}}
        features.append(entry)
    online = {"EnableOnlineStore": True}
    if any("CollectionType" in feature for feature in features):
        online["StorageType"] = "InMemory"
    client("sagemaker", address).create_feature_group(
        FeatureGroupName=name, RecordIdentifierFeatureName=definition["record_identifier"], EventTimeFeatureName=definition["event_time"],
        FeatureDefinitions=features, RoleArn="arn:aws:iam::000000000000:role/team",
        OfflineStoreConfig={"S3StorageConfig": {"S3Uri": "s3://team/features"}},
        **({"OnlineStoreConfig": online} if definition["online"] else {}),
    )


def write(fleet, name, definition, rows, first):
    """Stores rows of one group, in their order; puts are told together, a deletion alone."""
    identifier, at = definition["record_identifier"], definition["event_time"]
    waiting = []

    def send():
        while waiting:
            entries = [{"FeatureGroupName": name, "Record": record} for record in waiting[:BATCH]]
            answer = fleet.ask(first, "batch_write_record", Entries=entries)
            left = [entry["Record"] for entry in answer.get("UnprocessedEntries", [])] + [error["Entry"]["Record"] for error in answer.get("Errors", [])]
            if answer.get("Errors"):
                raise SystemExit(f"{name}: {answer['Errors'][0]}")
            waiting[:BATCH] = left

    for row in rows:
        if row["is_deleted"]:
            send()
            arguments = {"FeatureGroupName": name, "RecordIdentifierValueAsString": text(row[identifier]), "EventTime": text(row[at])}
            fleet.ask(first, "delete_record", DeletionMode="SoftDelete", **arguments)
            continue
        record = []
        for feature, value in row.items():
            if feature not in META and value is not None:
                kind = "ValueAsStringList" if isinstance(value, list) else "ValueAsString"
                record.append({"FeatureName": feature, kind: text(value)})
        waiting.append(record)
        if len(waiting) == BATCH:
            send()
    send()


def load(addresses, groups, on_the_way=None):
    """Stores everything over all servers. The rows of one identifier go in their order, those of different ones at once."""
    fleet, lanes = Fleet(addresses), 4
    jobs = []
    for name, (definition, rows) in groups.items():
        lane_of = lambda row: zlib.crc32(text(row[definition["record_identifier"]]).encode()) % lanes
        jobs += [(name, definition, [row for row in rows if lane_of(row) == lane], lane) for lane in range(lanes)]
    with concurrent.futures.ThreadPoolExecutor(lanes) as pool:
        futures = [pool.submit(write, fleet, *job) for job in jobs]
        for done, future in enumerate(concurrent.futures.as_completed(futures)):
            future.result()
            if on_the_way and done == len(futures) // 3:
                on_the_way()


def question(spine, output, cluster=None):
    """The words that build the training dataset."""
    words = ["dataset", "build", "--spine", spine, "--spine-id", "customer_id", "--spine-time", "at", "-o", output, "--name", "train"]
    for group in ("customer-features", "customer-account", "support-features"):
        words += ["--features", group]
    return words + (["--cluster", cluster] if cluster else [])


def build(folder, spine, variables=None, output="train.parquet", cluster=None):
    """Builds the training dataset; returns the digest of its file."""
    path = os.path.join(home, output)
    parts.run(larder, folder, *question(spine, path, cluster), environment=variables)
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def spine(path, groups):
    """Labels at, before and after the times of the records that were stored."""
    definition, rows = groups["customer-features"]
    with open(path, "w") as file:
        file.write("customer_id,at,label\n")
        for number, row in enumerate(rows):
            for shift in ("", "1"):
                # At the record's very time, and a fraction of a second after it.
                at = row[definition["event_time"]]
                file.write(f"{row[definition['record_identifier']]},{at if not shift else at.replace('Z', '.5Z') if '.' not in at else at},{number % 2}\n")


def browse(folder, variables, wanted):
    """Opens the browser on a terminal, and waits until it shows the names."""
    child, terminal = pty.fork()
    if child == 0:
        os.execvpe(larder, [larder, "--store", folder, "tui", "--screen", "groups"], variables | {"TERM": "xterm-256color"})
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 140, 0, 0))
    seen, until = b"", time.monotonic() + 60
    while not all(name.encode() in seen for name in wanted) and time.monotonic() < until:
        if select.select([terminal], [], [], 0.5)[0]:
            seen += os.read(terminal, 65536)
    os.write(terminal, b"q")
    time.sleep(0.5)
    try:
        os.kill(child, signal.SIGTERM)
    except ProcessLookupError:
        pass
    os.waitpid(child, 0)
    missing = [name for name in wanted if name.encode() not in seen]
    assert not missing, f"the browser of the new machine does not show {missing}"


def records(address, groups):
    """Every latest record of every group, by look-up."""
    runtime, found = client("sagemaker-featurestore-runtime", address), {}
    for name, (definition, rows) in groups.items():
        if not definition["online"]:
            continue
        identifiers = sorted({text(row[definition["record_identifier"]]) for row in rows})
        for start in range(0, len(identifiers), 100):
            asked = [{"FeatureGroupName": name, "RecordIdentifiersValueAsString": identifiers[start : start + 100]}]
            answer = runtime.batch_get_record(Identifiers=asked)
            assert not answer["Errors"] and not answer["UnprocessedIdentifiers"], answer
            found |= {(name, record["RecordIdentifierValueAsString"]): record["Record"] for record in answer["Records"]}
    return found


begun = time.monotonic()
with tempfile.TemporaryDirectory() as home:
    place = lambda name: os.path.join(home, name)
    groups = demo(place("demo"))
    spine(place("labels.csv"), groups)
    say(f"the demo: {len(groups)} groups, {sum(len(rows) for _, rows in groups.values())} rows")

    local = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LARDER_"))}
    _, single = parts.serve(larder, place("single"), local)
    for name, (definition, _) in groups.items():
        create(single, name, definition)
    load([single], groups)
    parts.run(larder, place("single"), "flush", environment=local)
    expected = build(place("single"), place("labels.csv"), local, "single.parquet")
    labels = 2 * len(groups["customer-features"][1])
    matched = {part["group"]: part["matched"] for part in parts.run(larder, place("single"), "dataset", "show", "train", environment=local, answer=True)["inputs"]}
    assert matched["customer-features"] == labels and all(matched.values()), matched
    say("one machine has taken the records and built the dataset")

    online, bucket = parts.redis_cluster(place("redis")), parts.bucket()
    variables = parts.environment(bucket, online)
    servers = [parts.serve(larder, place(name), variables) for name in ("a", "b")]
    addresses = [address for _, address in servers]
    say("a Redis cluster, a bucket and two servers are up")
    for number, (name, (definition, _)) in enumerate(groups.items()):
        create(addresses[number % 2], name, definition)
    for address in addresses:
        control = client("sagemaker", address)
        known = lambda: len(control.list_feature_groups(MaxResults=100)["FeatureGroupSummaries"]) == len(groups)
        parts.wait_for("both servers know all groups", known)

    def kill_and_restart():
        servers[1][0].kill()
        servers[1][0].wait()
        say("server b was killed")
        time.sleep(1)
        servers[1] = parts.serve(larder, place("b"), variables, bind=addresses[1])
        say("server b is back")

    load(addresses, groups, kill_and_restart)
    say("both servers have taken the records")
    for name in ("a", "b"):
        parts.run(larder, place(name), "flush", environment=variables)
        parts.run(larder, place(name), "doctor", environment=variables)
    assert records(addresses[0], groups) == records(addresses[1], groups) == records(single, groups)
    say("what is online is the same on both servers and on the single machine")

    newcomer = parts.environment(bucket, online)
    assert build(place("c"), place("labels.csv"), newcomer, "team.parquet") == expected
    say("a machine with only the URL builds the same bytes")

    if options.cluster:
        scheduler, at = parts.start([larder, "--store", place("c"), "cluster", "scheduler", "--bind", "127.0.0.1:0"], newcomer, say="listening on ")
        workers = [
            parts.start([larder, "--store", place(f"worker-{number}"), "cluster", "worker", "--scheduler", at], newcomer) for number in range(2)
        ]
        threading.Timer(1.0, workers[0].kill).start()
        assert build(place("c"), place("labels.csv"), newcomer, "cluster.parquet", at) == expected
        say("the cluster builds the same bytes, with one worker killed")
        kept = parts.run(larder, place("c"), *question(place("labels.csv"), "store:train", at), environment=newcomer, answer=True)
        assert kept["output"].startswith("s3://") and kept["files"] == 1, kept
        verified = parts.run(larder, place("c"), "dataset", "verify", "train", environment=newcomer, answer=True)
        assert verified["matches"] and verified["file"] == "same", verified
        one = parts.run(larder, place("single"), "dataset", "show", "train", environment=local, answer=True)
        assert kept["content_hash"] == one["content_hash"], "the workers wrote other rows"
        say("a worker writes the same rows to the bucket")

    browse(place("d"), newcomer, sorted(groups)[:5])
    say("a machine with only the URL browses the catalog")
