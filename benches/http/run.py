#!/usr/bin/env python3
"""The figures of the server beside Redis: `benches/http/run.py [--larder FILE] [--seconds N] [--ids N]`.

Needs `wrk`, a release build of larder, and for the peer `redis-server` and `redis-benchmark`. A store of its own is filled with
IDS records of ten features through BatchWriteRecord; then wrk reads at 8 connections, writes at 64 and reads batches of a hundred,
and Redis answers HGETALL of ten fields in the same minutes. Nothing here is an assertion.
"""
import argparse
import concurrent.futures
import http.client
import json
import os
import random
import shutil
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("--larder", default=os.path.join(HERE, "../../target/release/larder"))
arguments.add_argument("--seconds", type=int, default=10)
arguments.add_argument("--ids", type=int, default=100_000)
options = arguments.parse_args()


def post(connection, path, document, target=None):
    headers = {"Content-Type": "application/json"}
    if target:
        headers["X-Amz-Target"] = "SageMaker." + target
    connection.request("POST", path, json.dumps(document), headers)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 200:
        raise SystemExit(f"{path}: {answer.status} {text.decode()}")
    return json.loads(text)


def fill(address, first, last):
    connection = http.client.HTTPConnection(address)
    for start in range(first, last, 25):
        entries = []
        for number in range(start, min(start + 25, last)):
            record = [{"FeatureName": "id", "ValueAsString": f"C{number:06}"}, {"FeatureName": "at", "ValueAsString": "1700000000"}]
            record += [{"FeatureName": f"f{feature}", "ValueAsString": f"{random.random():.6f}"} for feature in range(8)]
            entries.append({"FeatureGroupName": "customers", "Record": record})
        answer = post(connection, "/BatchWriteRecord", {"Entries": entries})
        if answer["Errors"] or answer["UnprocessedEntries"]:
            raise SystemExit(answer)


def wrk(address, script, connections):
    command = ["wrk", "-t1", f"-c{connections}", f"-d{options.seconds}s", "--latency", "-s", os.path.join(HERE, script), f"http://{address}"]
    print(f"## {script}, {connections} connections", flush=True)
    subprocess.run(command + ["--", "customers", str(options.ids)], check=True)


with tempfile.TemporaryDirectory() as folder:
    command = [options.larder, "--store", folder, "serve", "--bind", "127.0.0.1:0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        address = server.stdout.readline().split("http://")[1].strip()
        definitions = [{"FeatureName": "id", "FeatureType": "String"}]
        definitions += [{"FeatureName": name, "FeatureType": "Fractional"} for name in ["at"] + [f"f{feature}" for feature in range(8)]]
        group = {
            "FeatureGroupName": "customers", "RecordIdentifierFeatureName": "id", "EventTimeFeatureName": "at", "FeatureDefinitions": definitions,
            "OnlineStoreConfig": {"EnableOnlineStore": True}, "RoleArn": "arn:aws:iam::000000000000:role/bench",
            "OfflineStoreConfig": {"S3StorageConfig": {"S3Uri": "s3://feature-store/bench"}},
        }
        post(http.client.HTTPConnection(address), "/", group, "CreateFeatureGroup")
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            share = -(-options.ids // 8)
            list(pool.map(lambda part: fill(address, part * share, min((part + 1) * share, options.ids)), range(8)))
        wrk(address, "get_record.lua", 8)
        if shutil.which("redis-server") and shutil.which("redis-benchmark"):
            redis = subprocess.Popen(["redis-server", "--port", "6399", "--save", "", "--dir", folder], stdout=subprocess.DEVNULL)
            try:
                fields = [part for feature in range(10) for part in (f"f{feature}", "0.123456")]
                for _ in range(50):
                    made = subprocess.run(["redis-cli", "-p", "6399", "hset", "h", *fields], capture_output=True)
                    if made.returncode == 0:
                        break
                print("## redis HGETALL, 8 connections", flush=True)
                subprocess.run(["redis-benchmark", "-p", "6399", "-c", "8", "-n", "200000", "hgetall", "h"], check=True)
            finally:
                redis.terminate()
                redis.wait()
        else:
            print("redis is not installed: no peer")
        wrk(address, "put_record.lua", 64)
        wrk(address, "batch_get.lua", 8)
    finally:
        server.terminate()
        server.wait()
