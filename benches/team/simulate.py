#!/usr/bin/env python3
"""What a training dataset of a billion rows costs on a hundred workers, reckoned: `simulate.py CONSTANTS.json [--cores N]`.

A build on a cluster is simulated task by task, the same way every time: the scheduler gives tasks out one after another, each worker has
cores that run them and a network card that its tasks share, and all share what the bucket gives. The constants are those that
`benches/team/run.py cluster --constants FILE` measured; what was not measured (network, bucket, bytes) is named below.

    spine    the machine that asks divides the labels and writes them to the store    labels × WHERE ASKED ÷ 2
    join     a task a part: its labels, and the records that they can mean            records read × RECORD + labels ÷ parts × LABEL
    merge    one task puts the rows in order, on one core of one worker               labels × MERGE
    answer   the machine that asks fetches, hashes and writes                         labels × WHERE ASKED ÷ 2

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


def build(records, labels, workers, is_sorted):
    """Seconds from the question to the file, and core seconds on the workers."""
    parts = workers * options.cores
    at = MEASURED["job_seconds"] + max(labels * WHERE_ASKED / 2, labels * SPINE_BYTES / options.network)
    own = records / parts
    others = 0 if is_sorted else records - own
    # Of the records of others the keys are read and looked up, which is about half of what a record costs.
    seconds = own * RECORD + others * RECORD / 2 + labels / parts * LABEL
    cluster = Workers(workers, at)
    from_bucket = own * RECORD_BYTES + others * KEY_BYTES + labels / parts * SPINE_BYTES
    at = max(cluster.run(seconds, from_bucket) for _ in range(parts))
    at += max(labels * MERGE, labels * ANSWER_BYTES / options.network)
    at += max(labels * WHERE_ASKED / 2, labels * ANSWER_BYTES / options.network)
    return at, parts * (seconds + MEASURED["part_seconds"]) + labels * MERGE


print(f"workers of {options.cores} cores, as many parts as cores: seconds from the question to the file, core hours of the workers")
print(f"{'':38} {'compacted':>19} {'not sorted':>19}")
print(f"{'records':>15} {'labels':>13} {'workers':>8} {'seconds':>10} {'hours':>8} {'seconds':>10} {'hours':>8}")
for records, labels in [(10_000_000, 1_000_000), (100_000_000, 10_000_000), (1_000_000_000, 10_000_000), (1_000_000_000, 100_000_000)]:
    for workers in (1, 2, 10, 30, 100):
        ranges, hashed = build(records, labels, workers, True), build(records, labels, workers, False)
        print(f"{records:15,} {labels:13,} {workers:8} {ranges[0]:10.1f} {ranges[1] / 3600:8.2f} {hashed[0]:10.1f} {hashed[1] / 3600:8.2f}")
