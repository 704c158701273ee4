#!/usr/bin/env python3
"""What a training dataset of a billion rows costs on a hundred workers, reckoned: `simulate.py CONSTANTS.json [--cores N]`.

A build on a cluster is simulated task by task, the same way every time: the scheduler gives tasks out one after another, each worker has
cores that run them and a network card that its tasks share, and all share what the bucket gives. The constants are those that
`benches/team/run.py cluster --constants FILE` measured; what was not measured (network, bucket, bytes) is named below.

    spine    the machine that asks divides the labels and writes them to the store    labels × WHERE ASKED ÷ 2
    join     a task a part: its labels, and the records that they can mean            records read × RECORD + labels ÷ parts × LABEL
    merge    one task puts the rows in order, on one core of one worker               labels × MERGE
    answer   the machine that asks fetches, hashes and writes                         labels × WHERE ASKED ÷ 2

With `-o store:NAME` there is neither merge nor answer, and the machine that asks does nothing but divide the spine:

    write    a task a block of 1,048,576 rows sorts, hashes and writes it to the store   its rows × WRITE

Over a compacted history the parts are ranges of identifiers, and the records read are those of the part. Over one that is not sorted each part
reads the keys of all records: what more workers do is then done again by each.
"""

import argparse
import heapq
import json

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("constants")
parser.add_argument("--cores", type=int, default=8, help="cores of a worker")
parser.add_argument("--network", type=float, default=1.25e9, help="bytes a second of a machine's network card")
parser.add_argument("--bucket", type=float, default=100e9, help="bytes a second that the bucket gives to all workers")
options = parser.parse_args()
with open(options.constants) as file:
    MEASURED = json.load(file)

RECORD = MEASURED["record_seconds"]
WHERE_ASKED = min(MEASURED["label_seconds_where_asked"], MEASURED["label_seconds"])
# What a label costs on the workers: two shared the join, one merged. Half of it is taken for each.
OF_WORKERS = MEASURED["label_seconds"] - WHERE_ASKED
LABEL, MERGE = OF_WORKERS, OF_WORKERS / 2
# Written by the workers: what a label costs both of them together, without the join.
KEPT_WHERE_ASKED = min(MEASURED["kept_label_seconds_where_asked"], MEASURED["kept_label_seconds"])
WRITE = max(2 * (MEASURED["kept_label_seconds"] - KEPT_WHERE_ASKED) - LABEL, 0)
BLOCK_ROWS = 1 << 20
# Not measured. Ten doubles and their keys, compressed; the keys alone; a row of the spine and one of the answer.
RECORD_BYTES, KEY_BYTES, SPINE_BYTES, ANSWER_BYTES = 90, 18, 24, 120
# Seconds in which the scheduler does nothing but give one task out.
DISPATCH = 0.0005


class Workers:
    """Cores that are free at some time, and network cards that carry one task's bytes after another's."""

    def __init__(self, workers, at):
        self.cores = [(at, worker) for worker in range(workers) for _ in range(options.cores)]
        heapq.heapify(self.cores)
        self.cards = [at] * workers
        self.bucket = self.scheduler = at

    def run(self, seconds, from_bucket):
        """One task on the core that is free first; returns when it is done."""
        free, worker = heapq.heappop(self.cores)
        self.scheduler += DISPATCH
        begun = max(free, self.scheduler) + MEASURED["part_seconds"]
        self.cards[worker] = max(self.cards[worker], begun) + from_bucket / options.network
        self.bucket = max(self.bucket, begun) + from_bucket / options.bucket
        # Bytes come while others are worked on.
        done = max(begun + seconds, self.cards[worker], self.bucket)
        heapq.heappush(self.cores, (done, worker))
        return done


def build(records, labels, workers, is_sorted, is_kept=False):
    """Seconds from the question to the rows, and core seconds on the workers."""
    parts = workers * options.cores
    where_asked = KEPT_WHERE_ASKED if is_kept else WHERE_ASKED / 2
    at = MEASURED["job_seconds"] + max(labels * where_asked, labels * SPINE_BYTES / options.network)
    own = records / parts
    others = 0 if is_sorted else records - own
    # Of the records of others the keys are read and looked up, which is about half of what a record costs.
    seconds = own * RECORD + others * RECORD / 2 + labels / parts * LABEL
    cluster = Workers(workers, at)
    from_bucket = own * RECORD_BYTES + others * KEY_BYTES + labels / parts * SPINE_BYTES
    at = max(cluster.run(seconds, from_bucket) for _ in range(parts))
    if is_kept:
        blocks = -(-labels // BLOCK_ROWS)
        rows = labels / blocks
        cluster = Workers(workers, at)
        # Rows come from other workers and go to the bucket: the card carries them twice.
        at = max(cluster.run(rows * WRITE, 2 * rows * ANSWER_BYTES) for _ in range(blocks))
        return at, parts * (seconds + MEASURED["part_seconds"]) + labels * WRITE
    at += max(labels * MERGE, labels * ANSWER_BYTES / options.network)
    at += max(labels * WHERE_ASKED / 2, labels * ANSWER_BYTES / options.network)
    return at, parts * (seconds + MEASURED["part_seconds"]) + labels * MERGE


SIZES = [(10_000_000, 1_000_000), (100_000_000, 10_000_000), (1_000_000_000, 10_000_000), (1_000_000_000, 100_000_000), (10_000_000_000, 1_000_000_000)]
print(f"workers of {options.cores} cores, as many parts as cores: seconds from the question to the rows, core hours of the workers")
print(f"{'':40} {'compacted, a file':>19} {'compacted, store:':>19} {'not sorted, a file':>19}")
print(f"{'records':>15} {'labels':>15} {'workers':>8}" + f" {'seconds':>10} {'hours':>8}" * 3)
for records, labels in SIZES:
    for workers in (1, 2, 10, 30, 100):
        ways = build(records, labels, workers, True), build(records, labels, workers, True, True), build(records, labels, workers, False)
        print(f"{records:15,} {labels:15,} {workers:8}" + "".join(f" {seconds:10.1f} {core / 3600:8.2f}" for seconds, core in ways))
