#!/usr/bin/env python3
"""Profiling beside DuckDB's SUMMARIZE, on the same files in the same run: `benches/statistics/run.py [--runs N] FILE.parquet…`.

Needs Python with duckdb, and the bench built for release, which `cargo bench --bench statistics --no-run` does. Every run is
a process of its own; of N runs, taken in turns, the fastest counts, with the greatest peak memory. Then both are held
against each other: means and deviations must agree to 9 digits, medians within our rank error as DuckDB counts it.
"""
import argparse
import glob
import json
import os
import subprocess
import sys
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("files", nargs="+")
arguments.add_argument("--runs", type=int, default=3)
arguments.add_argument("--threads", type=int, default=os.cpu_count())
arguments.add_argument("--bench", help="the built bench; else the newest one in target/release/deps")
options = arguments.parse_args()

SUMMARIZE = """
import duckdb, json, sys
connection = duckdb.connect()
connection.execute(f"SET threads = {sys.argv[1]}")
# It would be drawn between the lines of the answer.
connection.execute("SET enable_progress_bar = false")
rows = connection.execute("SUMMARIZE SELECT * FROM read_parquet(?)", [sys.argv[2:]]).fetchall()
names = [column[0] for column in connection.description]
print(json.dumps([dict(zip(names, map(str, row))) for row in rows]))
"""
PEAK = "import resource,subprocess,sys;r=subprocess.run(sys.argv[1:]).returncode;print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss//1024,file=sys.stderr);sys.exit(r)"


def newest_bench():
    found = [path for path in glob.glob(os.path.join(ROOT, "target/release/deps/statistics-*")) if os.access(path, os.X_OK) and not path.endswith(".d")]
    if not found:
        sys.exit("no bench: run `cargo bench --bench statistics --no-run` first")
    return max(found, key=os.path.getmtime)


def measured(command):
    """Runs a command in a child of its own; returns its JSON, its seconds and its peak megabytes."""
    start = time.time()
    child = subprocess.run([sys.executable, "-c", PEAK, *command], capture_output=True, text=True)
    seconds = time.time() - start
    if child.returncode:
        sys.exit(f"{command[0]}: exit {child.returncode}: {child.stderr}")
    return json.loads(child.stdout), seconds, int(child.stderr.strip().splitlines()[-1])


bench = options.bench or newest_bench()
commands = {
    "larder": [bench, "--json", "--threads", str(options.threads), *options.files],
    "DuckDB SUMMARIZE": [sys.executable, "-c", SUMMARIZE, str(options.threads), *options.files],
}
runs = {name: [] for name in commands}
for _ in range(options.runs):
    for name, command in commands.items():
        runs[name].append(measured(command))
for name, results in runs.items():
    print(f"{name:<18} {min(run[1] for run in results):>7.2f} s {max(run[2] for run in results):>6} MB")
ratio = min(run[1] for run in runs["DuckDB SUMMARIZE"]) / min(run[1] for run in runs["larder"])
print(f"{ratio:.1f} times as fast")

import duckdb
connection = duckdb.connect()
theirs = {row["column_name"]: row for row in runs["DuckDB SUMMARIZE"][0][0]}
for column in runs["larder"][0][0]["columns"]:
    name, figures = column["name"], column["figures"]
    if figures["kind"] not in ("integral", "fractional") or figures["mean"] is None:
        continue
    for ours, their in (("mean", "avg"), ("std", "std")):
        expected = float(theirs[name][their])
        if abs(figures[ours] - expected) > 1e-9 * max(abs(expected), figures["std"] or 0):
            print(f"{name}: {ours} {figures[ours]!r}, DuckDB {expected!r}")
    median = figures["quantiles"][11]
    below, n = connection.execute(f'SELECT count(*) FILTER ("{name}" <= ?), count("{name}") FROM read_parquet(?)', [median, options.files]).fetchone()
    if abs(below / n - 0.5) > figures["rank_error"] + 1e-9 and figures["rank_error"]:
        print(f"{name}: the median {median} lies at {below / n:.4f}")
