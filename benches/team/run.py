#!/usr/bin/env python3
"""The figures of a team, on loopback: `benches/team/run.py [--larder FILE] [--seconds N] [redis] [commits] [bytes] [cluster]`.

    redis    look-ups and durable puts through two servers over one Redis, beside plain HGETALL; needs redis-server, redis-benchmark and wrk
    commits  three writers with a folder each drain a hundred times into one group of a bucket
    bytes    what a cold point-in-time build reads from the bucket, beside the bytes of the columns it needs
    cluster  a training dataset and a statement on a scheduler and two workers of one core each, beside one process with both cores; needs a
             larder that was built with `--features cluster`. Ends with the constants that `simulate.py` reckons with (`--constants FILE`)

Python needs `moto[s3,server]`, `boto3`, `numpy` and `pyarrow`. The bucket is moto's, which answers one request at a time: it and the two wrk processes share the
machine's cores with what is measured. Nothing here is an assertion, but for records that are lost.
"""

import argparse
import concurrent.futures
import csv
import io
import json
import os
import random
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import boto3

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../tests/team"))
import parts

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("figures", nargs="*", default=[])
parser.add_argument("--larder", default=os.path.join(HERE, "../../target/release/larder"))
parser.add_argument("--seconds", type=int, default=10)
parser.add_argument("--ids", type=int, default=100_000)
parser.add_argument("--rows", type=int, default=4_000_000, help="records of the history that a cluster joins")
parser.add_argument("--labels", type=int, default=400_000, help="rows of the spine that it joins them to")
parser.add_argument("--constants", help="write what the cluster's figures come to, as JSON")
options = parser.parse_args()
larder = os.path.abspath(options.larder)


def client(service, address):
    return boto3.client(service, endpoint_url=f"http://{address}", region_name="us-east-1", aws_access_key_id="any", aws_secret_access_key="any")


def wrk(addresses, script, connections):
    """Loads every server at once; prints the sum of their rates and the worst of their percentiles."""
    share = str(connections // len(addresses))
    script = os.path.join(HERE, "../http", script)
    load = lambda address: ["wrk", "-t1", "-c", share, f"-d{options.seconds}s", "--latency", "-s", script, f"http://{address}", "--", "customers", str(options.ids)]
    running = [subprocess.Popen(load(address), stdout=subprocess.PIPE, text=True) for address in addresses]
    said = [child.communicate()[0] for child in running]
    rate = sum(float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1)) for text in said)
    refused = [line for text in said for line in text.splitlines() if "Non-2xx" in line or "Socket errors" in line]
    worst = {share: max((re.search(rf"(?m)^\s+{share}%\s+(\S+)", text).group(1) for text in said), key=seconds) for share in (50, 99)}
    return f"{rate:,.0f}/s, p50 {worst[50]}, p99 {worst[99]} {' '.join(refused)}"


def seconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(number) * {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60}[unit]


def redis(folder):
    number = parts.redis(os.path.join(folder, "redis"))
    variables = parts.environment(parts.bucket(), f"redis://127.0.0.1:{number}")
    servers = [parts.serve(larder, os.path.join(folder, name), variables)[1] for name in ("a", "b")]
    features = [{"FeatureName": "id", "FeatureType": "String"}]
    features += [{"FeatureName": name, "FeatureType": "Fractional"} for name in ["at"] + [f"f{feature}" for feature in range(8)]]
    client("sagemaker", servers[0]).create_feature_group(
        FeatureGroupName="customers", RecordIdentifierFeatureName="id", EventTimeFeatureName="at", FeatureDefinitions=features,
        OnlineStoreConfig={"EnableOnlineStore": True}, RoleArn="arn:aws:iam::000000000000:role/bench",
        OfflineStoreConfig={"S3StorageConfig": {"S3Uri": "s3://team/features"}},
    )

    def fill(part):
        runtime = client("sagemaker-featurestore-runtime", servers[0])
        for start in range(part * options.ids // 4, (part + 1) * options.ids // 4, 25):
            entries = []
            for identifier in range(start, min(start + 25, (part + 1) * options.ids // 4)):
                values = {"id": f"C{identifier:06}", "at": "1700000000"} | {f"f{feature}": f"{random.random():.6f}" for feature in range(8)}
                record = [{"FeatureName": name, "ValueAsString": value} for name, value in values.items()]
                entries.append({"FeatureGroupName": "customers", "Record": record})
            answer = runtime.batch_write_record(Entries=entries)
            assert not answer["Errors"] and not answer["UnprocessedEntries"], answer

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(fill, range(4)))
    time.sleep(3)
    for server in servers:  # The second one has not heard of the group yet.
        client("sagemaker-featurestore-runtime", server).get_record(FeatureGroupName="customers", RecordIdentifierValueAsString="C000000")
    print("GetRecord, two servers, 8 connections   ", wrk(servers, "get_record.lua", 8), flush=True)
    print("GetRecord, one server, 8 connections    ", wrk(servers[:1], "get_record.lua", 8), flush=True)
    fields = [part for feature in range(10) for part in (f"f{feature}", "0.123456")]
    subprocess.run(["redis-cli", "-p", str(number), "hset", "h", *fields], check=True, stdout=subprocess.DEVNULL)
    command = ["redis-benchmark", "-p", str(number), "-c", "8", "-n", "300000", "hgetall", "h"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    print("plain HGETALL, 8 connections            ", re.search(r"throughput summary: ([\d.]+)", said).group(1), "/s", flush=True)
    print("PutRecord, two servers, 64 connections  ", wrk(servers, "put_record.lua", 64), flush=True)


def commits(folder):
    address = parts.bucket()
    variables = parts.environment(address)
    with open(os.path.join(folder, "first.csv"), "w") as file:
        file.write("id,at,n\nfirst,1,0\n")
    shape = ["--from", os.path.join(folder, "first.csv"), "--id", "id", "--event-time", "at", "--offline-only"]
    parts.run(larder, os.path.join(folder, "w0"), "create", "things", *shape, environment=variables)

    def write(writer):
        place, taken = os.path.join(folder, f"w{writer}"), []
        for number in range(100):
            parts.run(larder, place, "put", "things", f"id={writer}-{number}", f"at={number}", f"n={number}", environment=variables)
            begun = time.monotonic()
            parts.run(larder, place, "flush", "things", environment=variables)
            taken.append(time.monotonic() - begun)
        return taken

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        taken = [one for times in pool.map(write, range(3)) for one in times]
    count = parts.run(larder, os.path.join(folder, "newcomer"), "query", "select count(*) c, count(distinct id) d from things", "--format", "csv", environment=variables)
    row = next(csv.DictReader(io.StringIO(count)))
    assert (row["c"], row["d"]) == ("300", "300"), f"300 records were stored, the bucket has {row}"
    print(f"three writers, 300 commits, none lost; `larder flush`, a whole process: median {statistics.median(taken) * 1000:.0f} ms, worst {max(taken) * 1000:.0f} ms", flush=True)


def bytes_of_a_build(folder):
    import pyarrow.parquet

    address, rows, wide = parts.bucket(), 500_000, 20
    variables = parts.environment(address, LARDER_OBJECT_STORE_CACHE="none")
    chance = random.Random(1)
    with open(os.path.join(folder, "rows.csv"), "w") as file:
        file.write("id,at," + ",".join(f"f{number}" for number in range(wide)) + "\n")
        for number in range(rows):
            file.write(f"C{chance.randrange(20_000):06},{1_700_000_000 + number}," + ",".join(f"{chance.random():.6f}" for _ in range(wide)) + "\n")
    with open(os.path.join(folder, "labels.csv"), "w") as file:
        file.write("id,at,label\n")
        for number in range(20_000):
            file.write(f"C{number:06},{1_700_000_000 + chance.randrange(rows)},{number % 2}\n")
    writer, reader = os.path.join(folder, "writer"), os.path.join(folder, "reader")
    source = os.path.join(folder, "rows.csv")
    parts.run(larder, writer, "create", "wide", "--from", source, "--id", "id", "--event-time", "at", "--offline-only", environment=variables)
    parts.run(larder, writer, "ingest", "wide", source, environment=variables)
    parts.run(larder, reader, "list", environment=variables)
    s3 = boto3.client("s3", endpoint_url=address, region_name="us-east-1", aws_access_key_id="any", aws_secret_access_key="any")
    needed = whole = 0
    for listed in s3.list_objects_v2(Bucket="team")["Contents"]:
        if not listed["Key"].endswith(".parquet") or "_delta_log" in listed["Key"]:
            continue
        body = s3.get_object(Bucket="team", Key=listed["Key"])["Body"].read()
        footer = pyarrow.parquet.ParquetFile(io.BytesIO(body)).metadata
        whole += len(body)
        for group in range(footer.num_row_groups):
            columns = [footer.row_group(group).column(place) for place in range(footer.num_columns)]
            names = {"id", "__event_time", "is_deleted", "write_time", "api_invocation_time", "f3", "f7"}
            needed += sum(column.total_compressed_size for column in columns if column.path_in_schema in names)
    parts.bytes_read(address)
    begun = time.monotonic()
    words = ["--spine", os.path.join(folder, "labels.csv"), "--spine-id", "id", "--spine-time", "at", "--features", "wide:f3,f7"]
    parts.run(larder, reader, "dataset", "build", *words, "-o", os.path.join(folder, "train.parquet"), environment=variables)
    read = parts.bytes_read(address)
    print(
        f"a cold build of 2 of {wide} features, {rows:,} rows: {time.monotonic() - begun:.2f} s, {read:,} bytes read,"
        f" {read / needed:.2f} × the {needed:,} of the needed columns; the files have {whole:,}",
        flush=True,
    )


def history(folder, rows, labels):
    """A history of ten doubles and labels for it, as Parquet; few large files, as a compaction leaves them."""
    import numpy
    import pyarrow
    import pyarrow.parquet

    chance = numpy.random.default_rng(7)
    identifiers = max(rows // 40, 1)
    name = lambda numbers: pyarrow.array([f"C{number:09}" for number in numbers])
    ids = numpy.sort(chance.integers(0, identifiers, rows))
    for part, chosen in enumerate(numpy.array_split(ids, max(rows // 500_000, 1))):
        columns = {"id": name(chosen), "at": pyarrow.array(1.7e9 + chance.integers(0, 10_000_000, len(chosen)).astype(float))}
        columns |= {f"f{number}": pyarrow.array(chance.random(len(chosen))) for number in range(10)}
        pyarrow.parquet.write_table(pyarrow.table(columns), os.path.join(folder, f"history-{part}.parquet"))
    for file, count in (("labels", labels), ("quarter", max(labels // 4, 1))):
        columns = {
            "id": name(chance.integers(0, identifiers, count)),
            "at": pyarrow.array(1.7e9 + chance.integers(0, 10_000_000, count).astype(float)),
            "label": pyarrow.array(chance.integers(0, 2, count)),
        }
        pyarrow.parquet.write_table(pyarrow.table(columns), os.path.join(folder, f"{file}.parquet"))


def cluster(folder):
    local = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LARDER_"))}

    def measured(store, words, repeats=3):
        """Medians of several runs of a verb: seconds of the whole process, those of its cores; and the document of the last."""
        taken, worked = [], []
        for _ in range(repeats):
            begun, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
            said = parts.run(larder, store, *words, environment=local, answer="--format" not in words)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            taken.append(time.monotonic() - begun)
            worked.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        return statistics.median(taken), statistics.median(worked), said

    def prepared(name, rows, labels):
        place = os.path.join(folder, name)
        os.makedirs(place)
        history(place, rows, labels)
        store, files = os.path.join(place, "store"), os.path.join(place, "history-*.parquet")
        parts.run(larder, store, "create", "history", "--from", files, "--id", "id", "--event-time", "at", "--offline-only", environment=local)
        parts.run(larder, store, "ingest", "history", files, environment=local)
        parts.run(larder, store, "compact", "history", environment=local)

        def build(spine="labels", output=os.path.join(place, "train.parquet")):
            words = ["--spine", os.path.join(place, f"{spine}.parquet"), "--spine-id", "id", "--spine-time", "at"]
            return ["dataset", "build", *words, "--features", "history", "-o", output]

        _, at = parts.start([larder, "--store", store, "cluster", "scheduler", "--bind", "127.0.0.1:0"], local, say="listening on ")
        for number in range(2):
            worker = [larder, "--store", store, "cluster", "worker", "--scheduler", at, "--cores", "1", "--folder", os.path.join(place, f"worker-{number}")]
            parts.start(worker, local, say="working at ")
        return store, build, at

    print(f"{options.rows:,} records of 10 doubles, {options.labels:,} labels; two workers of one core each", flush=True)
    store, build, at = prepared("large", options.rows, options.labels)
    on_cluster = lambda number: ["--cluster", at, "--parts", str(number)]
    one, _, expected = measured(store, build())
    print(f"a training dataset, one process           {one:7.2f} s", flush=True)
    large = {}
    for number in (2, 4, 16):
        large[number], asking, answer = measured(store, build() + on_cluster(number))
        assert answer["content_hash"] == expected["content_hash"], "the cluster built something else"
        print(f"                    the cluster, {number:3} parts {large[number]:7.2f} s, {large[number] / one:.2f} × one process; {asking:.2f} s of a core where it was asked", flush=True)
    kept, asking_kept, answer = measured(store, build(output="store:train") + on_cluster(2))
    assert answer["content_hash"] == expected["content_hash"], "the workers wrote something else"
    print(f"                    written by the workers {kept:5.2f} s, {kept / one:.2f} × one process; {asking_kept:.2f} s of a core where it was asked", flush=True)
    kept_quarter, asking_kept_quarter, _ = measured(store, build("quarter", "store:quarter") + on_cluster(2))
    quarter, asking_quarter, _ = measured(store, build("quarter") + on_cluster(2))
    _, asking, _ = measured(store, build() + on_cluster(2))
    asked = "select cast(substr(id, 2, 4) as bigint) as block, count(*) as n, avg(f0) as a, max(f9) as m from history group by 1 order by 1"
    query = ["query", asked, "--format", "csv", "-o", os.path.join(folder, "rows.csv")]
    alone, _, _ = measured(store, query)
    together, _, _ = measured(store, query + on_cluster(2))
    print(f"a statement over all records: one process {alone:.2f} s, the cluster {together:.2f} s, {together / alone:.2f} ×", flush=True)
    parts.end_all()

    # A job that has next to nothing to do shows what jobs and tasks cost by themselves.
    store, build, at = prepared("small", 2_000, 2_000)
    empty = {number: measured(store, build() + on_cluster(number))[0] for number in (2, 64)}
    of_a_part = max(empty[64] - empty[2], 0) / 62
    each = lambda whole, quarter: max(whole - quarter, 0) / (options.labels * 0.75)
    of_a_label = each(large[2], quarter)
    constants = {
        "rows": options.rows, "labels": options.labels,
        "one_process_seconds": one, "cluster_seconds": large,
        "job_seconds": empty[2] - 2 * of_a_part, "part_seconds": of_a_part,
        # Of one core: two of them shared what workers did.
        "record_seconds": max(quarter - empty[2] - of_a_label * options.labels / 4, 0) * 2 / options.rows,
        "label_seconds_where_asked": each(asking, asking_quarter),
        "label_seconds": of_a_label,
        "kept_label_seconds_where_asked": each(asking_kept, asking_kept_quarter),
        "kept_label_seconds": each(kept, kept_quarter),
    }
    print("a job costs {job_seconds:.3f} s, each part {part_seconds:.4f} s, a million records {0:.2f} s of a core, a million labels {1:.2f} s, of which {2:.2f} s where it was asked; written by the workers {3:.2f} and {4:.2f} s".format(
        *(constants[name] * 1e6 for name in ("record_seconds", "label_seconds", "label_seconds_where_asked", "kept_label_seconds", "kept_label_seconds_where_asked")), **constants), flush=True)
    if options.constants:
        with open(options.constants, "w") as file:
            json.dump(constants, file, indent=1)


for name, figure in {"redis": redis, "commits": commits, "bytes": bytes_of_a_build, "cluster": cluster}.items():
    if not options.figures or name in options.figures:
        with tempfile.TemporaryDirectory() as folder:
            figure(folder)
        parts.end_all()
