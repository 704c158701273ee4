#!/usr/bin/env python3
"""The figures of training datasets beside what a user would take instead: `benches/pit/run.py [--data DIR] [--shared DIR] [--runs N]`.

Needs Python with duckdb, polars, pyarrow and numpy, a release build of larder (`cargo build --release`), and the scripts
`pit_data.py` and `pit_peers.py`, which make the data and run the peers; `--shared` names their folder. Every command runs
in a process of its own; of N runs the fastest counts, for larder and for the peers alike. Seconds and megabytes are of
whole processes. Nothing here is an assertion but that all give the same answer.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("--data", default=os.path.join(ROOT, "target/pit"), help="folder for data and stores")
arguments.add_argument("--shared", default=os.path.join(ROOT, "../shared/bench"), help="folder of pit_data.py and pit_peers.py")
arguments.add_argument("--larder", default=os.path.join(ROOT, "target/release/larder"), help="the binary")
arguments.add_argument("--runs", type=int, default=3)
arguments.add_argument("--only", nargs="*", default=[], help="peers external compacted one wide")
options = arguments.parse_args()
data = os.path.abspath(options.data)


def measured(command):
    """Runs a command; returns its output, its seconds and its peak megabytes."""
    start = time.time()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, complaints = child.communicate()
    seconds = time.time() - start
    if child.returncode:
        sys.exit(f"{' '.join(command)}: exit {child.returncode}: {complaints}")
    return out, seconds


def peak(command):
    """The same in a child of its own, so that its peak is told apart."""
    script = "import resource,subprocess,sys;r=subprocess.run(sys.argv[1:]).returncode;print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss//1024,file=sys.stderr);sys.exit(r)"
    start = time.time()
    child = subprocess.run([sys.executable, "-c", script, *command], capture_output=True, text=True)
    seconds = time.time() - start
    if child.returncode:
        sys.exit(f"{' '.join(command)}: exit {child.returncode}: {child.stderr}")
    return child.stdout, seconds, int(child.stderr.strip().splitlines()[-1])


def best(command):
    rounds = [peak(command) for _ in range(options.runs)]
    return rounds[0][0], min(seconds for _, seconds, _ in rounds), max(megabytes for *_, megabytes in rounds)


def larder(store, *words):
    return [options.larder, "--store", os.path.join(data, store), "-q", *words]


def fingerprint(path):
    import pyarrow.compute as pc
    import pyarrow.parquet as pq
    f0 = pq.read_table(path, columns=["f0"])["f0"]
    return len(f0), len(f0) - f0.null_count, round(pc.sum(f0).as_py() or 0, 4)


def build(store, groups, spine, out, *more):
    features = [word for group in groups for word in ("--features", group)]
    return larder(store, "--json", "dataset", "build", "--spine", spine, "--spine-id", "customer_id", "--spine-time", "label_time",
                  *features, *more, "-o", os.path.join(data, out))


def row(name, seconds, megabytes, note=""):
    print(f"{name:<46} {seconds:>7.2f} s {megabytes:>6} MB  {note}", flush=True)


def wanted(name):
    return not options.only or name in options.only


def fresh(store):
    shutil.rmtree(os.path.join(data, store), ignore_errors=True)


labels, features = os.path.join(data, "labels.parquet"), os.path.join(data, "feat")
if not os.path.exists(labels):
    subprocess.run([sys.executable, os.path.join(options.shared, "pit_data.py"), "--out", data], check=True)

answers, peers = {}, {}
if wanted("peers"):
    for peer in ("duckdb", "polars"):
        rounds = []
        for _ in range(options.runs):
            out, _ = measured([sys.executable, "-W", "ignore", os.path.join(options.shared, "pit_peers.py"), data, peer])
            rounds.append(json.loads(out.strip().splitlines()[-1]))
        peers[peer] = min(round["seconds"] for round in rounds)
        row(f"{peer}: 1 M labels x 10 M rows x 10 doubles", peers[peer], max(round["peak_mb"] for round in rounds))
        answers[peer] = tuple(rounds[0][name] for name in ("rows", "matched", "sum_f0"))
fastest = min(peers.values(), default=None)


def against(seconds):
    return f"{fastest / seconds:.1f} x the faster peer" if fastest else ""


if wanted("external"):
    fresh("external")
    measured(larder("external", "create", "feat", "--from", features, "--id", "customer_id", "--event-time", "event_time", "--external"))
    _, seconds, megabytes = best(build("external", ["feat"], labels, "external.parquet"))
    row("larder: the same, the 20 files as they are", seconds, megabytes, against(seconds))
    answers["external"] = fingerprint(os.path.join(data, "external.parquet"))

if wanted("compacted") or wanted("one"):
    if not os.path.exists(os.path.join(data, "compacted/done")):
        fresh("compacted")
        measured(larder("compacted", "create", "feat", "--from", features, "--id", "customer_id", "--event-time", "event_time", "--offline-only"))
        _, seconds, megabytes = peak(larder("compacted", "ingest", "feat", features))
        row("larder: ingest of the 10 M rows, offline", seconds, megabytes)
        _, seconds, megabytes = peak(larder("compacted", "compact", "feat"))
        row("larder: compact", seconds, megabytes)
        open(os.path.join(data, "compacted/done"), "w").close()
if wanted("compacted"):
    _, seconds, megabytes = best(build("compacted", ["feat"], labels, "compacted.parquet"))
    row("larder: the same, ingested and compacted", seconds, megabytes, against(seconds))
    answers["compacted"] = fingerprint(os.path.join(data, "compacted.parquet"))
if wanted("one"):
    import pyarrow.parquet as pq
    one = os.path.join(data, "one.parquet")
    pq.write_table(pq.read_table(labels).slice(500_000, 1), one)
    _, seconds, megabytes = best(build("compacted", ["feat"], one, "one_out.parquet"))
    row("larder: one label against the 10 M rows", seconds, megabytes)

if wanted("wide"):
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq
    folder = os.path.join(data, "wide_data")
    if not os.path.exists(os.path.join(folder, "labels.parquet")):
        os.makedirs(folder, exist_ok=True)
        random, ids, start = np.random.default_rng(7), 20_000, 1_700_000_000_000
        names = np.array([f"C{number:06d}" for number in range(ids)])
        for group in range(10):
            columns = {"customer_id": pa.array(names[random.integers(0, ids, 100_000)]),
                       "event_time": pa.array(np.sort(random.integers(0, 90 * 86_400_000, 100_000)) + start, pa.timestamp("ms"))}
            columns |= {f"g{group}f{number}": pa.array(np.round(random.normal(size=100_000), 4)) for number in range(100)}
            pq.write_table(pa.table(columns), f"{folder}/g{group}.parquet", compression="snappy", row_group_size=50_000)
        pq.write_table(pa.table({"customer_id": pa.array(names[random.integers(0, ids, 17_000)]),
                                 "label_time": pa.array(random.integers(0, 90 * 86_400_000, 17_000) + start, pa.timestamp("ms"))}),
                       f"{folder}/labels.parquet")
    fresh("wide")
    for group in range(10):
        measured(larder("wide", "create", f"g{group}", "--from", f"{folder}/g{group}.parquet", "--id", "customer_id", "--event-time", "event_time", "--external"))
    _, seconds, megabytes = best(build("wide", [f"g{group}" for group in range(10)], f"{folder}/labels.parquet", "wide.parquet"))
    row("larder: 17,000 labels x 10 groups x 100 features", seconds, megabytes)

print("fingerprints:", answers)
if len(set(answers.values())) > 1:
    sys.exit("the answers differ")
