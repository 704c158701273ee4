#!/usr/bin/env python3
"""Mixed load for a while, and everything that was acknowledged is there: `benches/http/soak.py [SECONDS] [--larder FILE] [--writers N]`.

Ten minutes unless told otherwise. Writers own their identifiers, so that each knows what the last acknowledged state of each must be: they
put, update, delete and write batches, and look up what they wrote; readers fetch batches; one client asks SQL. Every half minute memory,
file handles and the outbox are printed. The script fails if an answer is not what was acknowledged, on any 5xx, if the history has not
every acknowledged write exactly once, or if the server holds more at rest after the whole load than at rest after a quarter of it, by more than
a quarter and 32 MiB. Under load memory follows the work: a compaction takes more the more there is to merge. Pages of mapped files (the program, LMDB)
are told apart and not judged: the system takes them back when it wants to.
"""
import argparse
import http.client
import json
import os
import random
import re
import subprocess
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("seconds", nargs="?", type=int, default=600)
parser.add_argument("--larder", default=os.path.join(HERE, "../../target/release/larder"))
parser.add_argument("--writers", type=int, default=8)
parser.add_argument("--ids", type=int, default=2_000, help="identifiers of a writer")
options = parser.parse_args()
GROUP = "customers"
faults = []
stop = threading.Event()
running = threading.Event()
running.set()
REST = 20


class Client:
    def __init__(self, address):
        self.connection = http.client.HTTPConnection(address, timeout=60)

    def ask(self, method, path, document=None, target=None):
        running.wait()
        headers = {"Content-Type": "application/json"} | ({"X-Amz-Target": target} if target else {})
        self.connection.request(method, path, None if document is None else json.dumps(document), headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status} {text.decode()}")
        return json.loads(text) if text else {}


def record(identifier, at, value):
    pairs = {"id": identifier, "at": str(at), "value": str(value)} | {f"f{number}": f"{value}.{number}" for number in range(7)}
    return [{"FeatureName": name, "ValueAsString": text} for name, text in pairs.items()]


class Writer(threading.Thread):
    """Knows the last acknowledged value of each of its identifiers, and how many rows of history each has."""

    def __init__(self, address, number):
        super().__init__(name=f"writer {number}")
        self.client, self.number, self.random = Client(address), number, random.Random(number)
        self.known, self.rows, self.requests, self.at = {}, {}, 0, 0

    def name_of(self, place):
        return f"w{self.number}-{place}"

    def wrote(self, identifier, value):
        self.known[identifier] = value
        self.rows[identifier] = self.rows.get(identifier, 0) + 1

    def step(self):
        self.at += 1
        identifier, choice = self.name_of(self.random.randrange(options.ids)), self.random.random()
        if choice < 0.40:
            self.client.ask("PUT", f"/FeatureGroup/{GROUP}", {"Record": record(identifier, self.at, self.at)})
            self.wrote(identifier, self.at)
        elif choice < 0.45:
            self.client.ask("DELETE", f"/FeatureGroup/{GROUP}?RecordIdentifierValueAsString={identifier}&EventTime={self.at}")
            self.wrote(identifier, None)
        elif choice < 0.50:
            batch = self.random.sample(range(options.ids), 25)
            entries = [{"FeatureGroupName": GROUP, "Record": record(self.name_of(place), self.at, self.at)} for place in batch]
            answer = self.client.ask("POST", "/BatchWriteRecord", {"Entries": entries})
            if answer["Errors"] or answer["UnprocessedEntries"]:
                raise RuntimeError(answer)
            for place in batch:
                self.wrote(self.name_of(place), self.at)
        elif choice < 0.55 and self.known.get(identifier) is not None:
            features = [{"FeatureName": "at", "ValueAsString": str(self.at)}, {"FeatureName": "value", "ValueAsString": str(self.at)}]
            self.client.ask("POST", f"/FeatureGroup/{GROUP}/Record", {"RecordIdentifierValueAsString": identifier, "Features": features})
            self.wrote(identifier, self.at)
        else:
            self.check(identifier, self.client.ask("GET", f"/FeatureGroup/{GROUP}?RecordIdentifierValueAsString={identifier}"))
        self.requests += 1

    def check(self, identifier, answer):
        found = {value["FeatureName"]: value["ValueAsString"] for value in answer.get("Record", [])}.get("value")
        meant = self.known.get(identifier)
        if found != (None if meant is None else str(meant)):
            raise RuntimeError(f"{identifier} is {found}, acknowledged was {meant}")

    def run(self):
        try:
            while not stop.is_set():
                self.step()
        except Exception as error:
            faults.append(f"{self.name}: {error}")
            stop.set()


class Reader(threading.Thread):
    def __init__(self, address):
        super().__init__(name="reader")
        self.client, self.requests = Client(address), 0

    def run(self):
        try:
            while not stop.is_set():
                wanted = [f"w{random.randrange(options.writers)}-{random.randrange(options.ids)}" for _ in range(100)]
                asked = {"Identifiers": [{"FeatureGroupName": GROUP, "RecordIdentifiersValueAsString": wanted}]}
                if self.client.ask("POST", "/BatchGetRecord", asked)["Errors"]:
                    raise RuntimeError("a batch has errors")
                self.requests += 1
                time.sleep(0.01)
        except Exception as error:
            faults.append(f"{self.name}: {error}")
            stop.set()


def sql(client, statement):
    athena = lambda operation, document: client.ask("POST", "/", document, f"AmazonAthena.{operation}")
    started = athena("StartQueryExecution", {
        "QueryString": statement, "QueryExecutionContext": {"Database": "sagemaker_featurestore"},
        "ResultConfiguration": {"OutputLocation": "s3://feature-store/results"}, "ClientRequestToken": f"{random.getrandbits(128):032x}",
    })
    while True:
        status = athena("GetQueryExecution", {"QueryExecutionId": started["QueryExecutionId"]})["QueryExecution"]["Status"]
        if status["State"] == "SUCCEEDED":
            return client, started["QueryExecutionId"]
        if status["State"] == "FAILED":
            raise RuntimeError(status)
        time.sleep(0.1)


class Analyst(threading.Thread):
    def __init__(self, address, table):
        super().__init__(name="analyst")
        self.client, self.table, self.requests = Client(address), table, 0

    def run(self):
        try:
            while not stop.wait(10):
                sql(self.client, f'SELECT count(*), max("at") FROM "{self.table}"')
                self.requests += 1
        except Exception as error:
            faults.append(f"{self.name}: {error}")
            stop.set()


def vitals(address, process):
    status = open(f"/proc/{process}/status").read()
    memory, mapped = (int(re.search(rf"{name}:\s+(\d+)", status).group(1)) / 1024 for name in ("RssAnon", "RssFile"))
    connection = http.client.HTTPConnection(address)
    connection.request("GET", "/metrics")
    page = connection.getresponse().read().decode()
    number = lambda name: int(re.search(rf"^{name} (\d+)$", page, re.M).group(1))
    failed = re.findall(r'^larder_requests_total\{operation="(\w+)",status="5xx"\}', page, re.M)
    return memory, mapped, len(os.listdir(f"/proc/{process}/fd")), number("larder_outbox_records"), number("larder_outbox_oldest_seconds"), failed


def at_rest(address, process):
    """Memory after nobody asked for a while."""
    time.sleep(REST)
    memory = vitals(address, process)[0]
    print(f"at rest              {memory:6.0f} MiB own", flush=True)
    return memory


def soak(folder):
    environment = os.environ | {"LARDER_DRAIN_MAX_ROWS": "20000", "LARDER_DRAIN_MAX_AGE_SECONDS": "30"}
    command = [options.larder, "--store", folder, "serve", "--bind", "127.0.0.1:0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        address = server.stdout.readline().split("http://")[1].strip()
        client = Client(address)
        definitions = [{"FeatureName": "id", "FeatureType": "String"}]
        definitions += [{"FeatureName": name, "FeatureType": "Fractional"} for name in ["at", "value"] + [f"f{number}" for number in range(7)]]
        client.ask("POST", "/", {
            "FeatureGroupName": GROUP, "RecordIdentifierFeatureName": "id", "EventTimeFeatureName": "at", "FeatureDefinitions": definitions,
            "OnlineStoreConfig": {"EnableOnlineStore": True}, "RoleArn": "arn:aws:iam::000000000000:role/soak",
            "OfflineStoreConfig": {"S3StorageConfig": {"S3Uri": "s3://feature-store/soak"}},
        }, "SageMaker.CreateFeatureGroup")
        table = client.ask("POST", "/", {"FeatureGroupName": GROUP}, "SageMaker.DescribeFeatureGroup")
        table = table["OfflineStoreConfig"]["DataCatalogConfig"]["TableName"]
        writers = [Writer(address, number) for number in range(options.writers)]
        others = [Reader(address), Analyst(address, table)]
        for thread in writers + others:
            thread.start()
        begun, settled = time.monotonic(), None
        while (spent := time.monotonic() - begun) < options.seconds and not stop.is_set():
            stop.wait(min(30, options.seconds - spent))
            memory, mapped, handles, outbox, oldest, failed = vitals(address, server.pid)
            requests = sum(thread.requests for thread in writers + others)
            print(f"{int(time.monotonic() - begun):5} s  {requests:9} requests  {memory:6.0f} MiB own {mapped:6.0f} MiB mapped  {handles:4} handles  outbox {outbox:7} records, oldest {oldest} s", flush=True)
            if failed:
                faults.append(f"5xx for {', '.join(failed)}")
                break
            if settled is None and time.monotonic() - begun >= options.seconds / 4:
                running.clear()
                settled = at_rest(address, server.pid)
                running.set()
        stop.set()
        for thread in writers + others:
            thread.join()
        if settled:
            rested = at_rest(address, server.pid)
            if rested > settled * 1.25 + 32:
                faults.append(f"memory at rest grew from {settled:.0f} to {rested:.0f} MiB")
        if not faults:
            compare(Client(address), writers, table)
    finally:
        server.terminate()
        if server.wait() != 0:
            faults.append(f"the server ended with {server.returncode}")


def compare(client, writers, table):
    """What is online and in the history, against what was acknowledged."""
    known = {identifier: value for writer in writers for identifier, value in writer.known.items()}
    identifiers = sorted(known)
    for start in range(0, len(identifiers), 100):
        wanted = identifiers[start : start + 100]
        asked = {"Identifiers": [{"FeatureGroupName": GROUP, "RecordIdentifiersValueAsString": wanted}]}
        found = {entry["RecordIdentifierValueAsString"]: entry for entry in client.ask("POST", "/BatchGetRecord", asked)["Records"]}
        for identifier in wanted:
            value = {value["FeatureName"]: value["ValueAsString"] for value in found.get(identifier, {}).get("Record", [])}.get("value")
            if value != (None if known[identifier] is None else str(known[identifier])):
                faults.append(f"{identifier} is {value} at the end, acknowledged was {known[identifier]}")
    _, query = sql(client, f'SELECT id, count(*) AS c FROM "{table}" GROUP BY id')
    connection = client.connection
    connection.request("GET", f"/feature-store/results/{query}.csv")
    lines = connection.getresponse().read().decode().splitlines()[1:]
    rows = {identifier: int(count) for identifier, count in (line.replace('"', "").split(",") for line in lines)}
    meant = {identifier: count for writer in writers for identifier, count in writer.rows.items()}
    for identifier in sorted(meant.keys() | rows.keys()):
        if meant.get(identifier, 0) != rows.get(identifier, 0):
            faults.append(f"{identifier} has {rows.get(identifier, 0)} rows of history, acknowledged were {meant.get(identifier, 0)}")
    print(f"{len(known)} identifiers and {sum(meant.values())} rows of history compared", flush=True)


with tempfile.TemporaryDirectory() as folder:
    soak(folder)
for fault in faults[:20]:
    print(fault)
raise SystemExit(1 if faults else 0)
