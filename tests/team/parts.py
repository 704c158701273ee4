"""What a team runs, on loopback: Redis, a bucket, larder servers; each is ended with the process that started it."""

import atexit
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
URL = "s3://team/features"
running = []


def end_all():
    for child in running:
        if child.poll() is None:
            child.kill()
        child.wait()


atexit.register(end_all)


def start(command, environment=None, say=None):
    """Starts a process; with `say`, waits for the line of its output that has it and returns what follows, too."""
    log = subprocess.PIPE if say else subprocess.DEVNULL
    child = subprocess.Popen(command, env=environment, stdout=log, text=True)
    running.append(child)
    if say is None:
        return child
    for line in child.stdout:
        if say in line:
            return child, line.split(say, 1)[1].strip()
    sys.exit(f"{' '.join(command)} ended before it said '{say}'")


def port():
    """A free port whose companion, 10,000 above, a server of a Redis cluster may take."""
    while True:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            number = listener.getsockname()[1]
            if number < 55_000:
                return number


def wait_for(what, done, seconds=60):
    until = time.monotonic() + seconds
    while not done():
        if time.monotonic() > until:
            sys.exit(f"{what}: not within {seconds} s")
        time.sleep(0.05)


def answers(number):
    asked = subprocess.run(["redis-cli", "-p", str(number), "ping"], capture_output=True, text=True)
    return asked.stdout.strip() == "PONG"


def redis(folder, *options):
    number = port()
    os.makedirs(folder, exist_ok=True)
    command = ["redis-server", "--port", str(number), "--bind", "127.0.0.1", "--save", "", "--dir", folder, "--logfile", "redis.log"]
    start(command + list(options))
    wait_for("redis", lambda: answers(number))
    return number


def redis_cluster(folder):
    """Three masters with a replica each; returns its URL."""
    cluster = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--repl-diskless-sync-delay", "0"]
    ports = [redis(os.path.join(folder, f"redis-{number}"), *cluster) for number in range(6)]
    servers = [f"127.0.0.1:{number}" for number in ports]
    subprocess.run(["redis-cli", "--cluster", "create", *servers, "--cluster-replicas", "1", "--cluster-yes"], check=True, stdout=subprocess.DEVNULL)

    def settled():
        asked = [subprocess.run(["redis-cli", "-p", str(number), "cluster", "info"], capture_output=True, text=True).stdout for number in ports]
        return all("cluster_state:ok" in said for said in asked)

    wait_for("redis cluster", settled)
    return "redis://" + ",".join(servers[:3])


def bucket():
    """An S3 server with the bucket `team`; returns its address."""
    return start([sys.executable, os.path.join(HERE, "bucket.py"), "team"], say="listening on ")[1]


def bytes_read(address):
    return int(urllib.request.urlopen(f"{address}/-/read").read())


def environment(address, online=None, **more):
    """Variables of a machine that knows the bucket and, if told, the Redis."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LARDER_"))}
    kept |= {
        "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_REGION": "us-east-1",
        "LARDER_OBJECT_STORE": URL, "LARDER_OBJECT_STORE_ENDPOINT": address, "LARDER_OBJECT_STORE_ALLOW_HTTP": "true",
    }
    return kept | ({"LARDER_ONLINE_URL": online} if online else {}) | more


def serve(larder, folder, variables, bind="127.0.0.1:0"):
    """A larder server; returns its process and address."""
    return start([larder, "--store", folder, "serve", "--bind", bind], variables, say="http://")


def run(larder, folder, *words, environment=None, answer=False):
    """Runs a verb to its end; with `answer`, returns its document."""
    command = [larder, "--store", folder, *words] + (["--json"] if answer else ["--quiet"])
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"larder {' '.join(words)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout) if answer else done.stdout
