#!/usr/bin/env python3
"""Figures of sync: a store with 1,000 groups of 50 features, read from its folder and from its server.

    python3 benches/sync/run.py target/release/larder [GROUPS] [FEATURES]

Prints the first sync, and one with nothing changed, with the seconds and the peak memory of the process that syncs.
"""

import json
import os
import subprocess
import sys
import tempfile
import time


def definitions(folder, groups, features):
    os.makedirs(folder)
    for number in range(groups):
        lines = [
            "apiVersion: larder/v1",
            "kind: FeatureGroup",
            f"name: group-{number:04}",
            f"description: Bench group {number}",
            "tags: {team: bench}",
            "record_identifier: id",
            "event_time: at",
            "features:",
            "  - {name: id, type: String}",
            "  - {name: at, type: Fractional}",
        ]
        lines += [f"  - {{name: f{n:03}, type: Fractional, description: Feature {n}}}" for n in range(features - 2)]
        with open(os.path.join(folder, f"group-{number:04}.larder.yaml"), "w") as file:
            file.write("\n".join(lines) + "\n")


def run(larder, store, *words):
    """Runs a command; returns its document, seconds and peak memory in MiB."""
    begun = time.monotonic()
    child = subprocess.Popen([larder, "--store", store, *words, "--json"], stdout=subprocess.PIPE)
    out = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.monotonic() - begun
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"larder {' '.join(words)} failed")
    return json.loads(out) if out.strip() else None, seconds, usage.ru_maxrss / 1024


def measure(larder, folder, kind, location):
    reader = os.path.join(folder, f"reader-{kind}")
    run(larder, reader, "source", "add", "team", "larder", location)
    for what in ("first", "nothing changed"):
        report, seconds, memory = run(larder, reader, "sync")
        source = report["sources"][0]
        print(f"{kind:8} {what:16} {seconds:7.2f} s {memory:7.0f} MiB   created {source['created']}, unchanged {source['unchanged']}")


def main():
    larder = os.path.abspath(sys.argv[1])
    groups = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    features = int(sys.argv[3]) if len(sys.argv) > 3 else 50
    with tempfile.TemporaryDirectory() as folder:
        files, store = os.path.join(folder, "definitions"), os.path.join(folder, "store")
        definitions(files, groups, features)
        run(larder, store, "apply", files)
        measure(larder, folder, "folder", store)
        catalog = os.path.join(folder, "published")
        run(larder, store, "export", "catalog", catalog)
        measure(larder, folder, "catalog", catalog)
        server = subprocess.Popen([larder, "--store", store, "serve", "--bind", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
        try:
            url = server.stdout.readline().split("listening on ")[1].strip()
            measure(larder, folder, "server", url)
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
