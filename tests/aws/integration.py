#!/usr/bin/env python3
"""AWS's own integration tests of Feature Store against a larder server: `integration.py [v2] [v3] [--larder FILE] [--tests FOLDER] [-k NAME]`.

The tests are those of github.com/aws/sagemaker-python-sdk: `tests/integ/test_feature_store.py` of the last version 2, and
`sagemaker-mlops/tests/integ/test_feature_store*.py` of version 3. They are fetched from there, or taken from a clone that --tests names;
nothing of them is kept here. They run unchanged on three conditions of the harness: sleeps are cut to half a second, because a local server
has nothing to wait for (those that wait for a ttl are kept); PutBucketPolicy is answered by the harness, because larder has keys where S3
has policies; and the fixtures of AWS's own conftest, which build containers, are the few lines below.

A virtual environment for each version is made under `target/` with packages from the package index, unless --python-v2 and --python-v3
name interpreters that have them. A server of its own runs on an empty store; clients get what `larder serve --print-env` prints, and
nothing else. What comes out is compared with `integration_expected.txt`: every test that does not pass is listed there with the reason,
and a test that passes though it is listed, or fails though it is not, is a failure of this script.
"""
import argparse
import fnmatch
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
ADDRESS = "https://raw.githubusercontent.com/aws/sagemaker-python-sdk"
V2_TAG = "v2.257.7"
V3_FOLDER = "sagemaker-mlops/tests/integ"
V3_FILES = ["", "_batch_write_record", "_iceberg_properties", "_lakeformation", "_list_records"]
PACKAGES = {
    "v2": ["sagemaker>=2.257,<3", "boto3>=1.44,<2", "pyspark<4", "pytest"],
    "v3": ["sagemaker>=3", "sagemaker-mlops", "boto3>=1.44,<2", "pytest"],
}

HARNESS = """
import os
import time
from botocore.client import BaseClient

_sleep = time.sleep
_call = BaseClient._make_api_call

def sleep(seconds):
    waits_for_ttl = "ttl" in os.environ.get("PYTEST_CURRENT_TEST", "") and seconds <= 60
    _sleep(seconds if waits_for_ttl else min(seconds, 0.5))

def call(client, operation, arguments):
    return {} if operation == "PutBucketPolicy" else _call(client, operation, arguments)

time.sleep = sleep
BaseClient._make_api_call = call
"""
NO_TIMEOUT = """
from contextlib import contextmanager
@contextmanager
def timeout(seconds=0, minutes=0, hours=0):
    yield []
"""
V3_FIXTURES = """
import pytest
from sagemaker.core.helper.session_helper import Session, get_execution_role
@pytest.fixture(scope="module")
def role():
    return get_execution_role()
@pytest.fixture(scope="module")
def sagemaker_session():
    return Session()
"""

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("versions", nargs="*", metavar="v2|v3", help="which SDKs; both unless named")
parser.add_argument("--larder", default=os.path.join(ROOT, "target/debug/larder"))
parser.add_argument("--tests", metavar="FOLDER", help="a clone of aws/sagemaker-python-sdk, or a folder v2/ and v3/ with the files")
parser.add_argument("--python-v2", metavar="FILE")
parser.add_argument("--python-v3", metavar="FILE")
parser.add_argument("--v3-revision", default="master", help="what to fetch the tests of version 3 from")
parser.add_argument("-k", metavar="NAME", help="passed on to pytest")


def python(version, given):
    if given:
        return given
    folder = os.path.join(ROOT, "target", f"python-integration-{version}")
    interpreter = os.path.join(folder, "bin/python")
    ready = os.path.join(folder, "ready")
    if not os.path.exists(ready):
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES[version]], check=True)
        open(ready, "w").close()
    return interpreter


def text_of(version, name, options):
    """The text of one test file."""
    within = {"v2": f"tests/integ/{name}", "v3": f"{V3_FOLDER}/{name}"}[version]
    if options.tests:
        for path in (within, f"{version}/{name}", f"{version}/{within}", name):
            path = os.path.join(options.tests, path)
            if os.path.exists(path):
                return open(path).read()
        raise SystemExit(f"{options.tests} has no {within}")
    revision = {"v2": V2_TAG, "v3": options.v3_revision}[version]
    with urllib.request.urlopen(f"{ADDRESS}/{revision}/{within}", timeout=60) as answer:
        return answer.read().decode()


def lay_out(version, folder, options):
    """Lays tests and harness out as the tests expect them; returns the files to run."""
    def write(path, text):
        path = os.path.join(folder, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        return path

    if version == "v2":
        write("conftest.py", HARNESS)
        write("tests/__init__.py", "")
        write("tests/integ/__init__.py", "")
        write("tests/integ/timeout.py", NO_TIMEOUT)
        return [write("tests/integ/test_feature_store.py", text_of(version, "test_feature_store.py", options))]
    write("conftest.py", HARNESS + V3_FIXTURES)
    write("pytest.ini", "[pytest]\nmarkers =\n    integ\n    serial\n    slow_test\n")
    names = [f"test_feature_store{name}.py" for name in V3_FILES]
    return [write(name, text_of(version, name, options)) for name in names]


def serve(larder, store):
    """A server on an empty store, and the variables that it prints for clients."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    # The tests of version 2 create their groups in us-east-2 and read buckets of that region. Some wait for files of the offline
    # store, which appear after a quarter of an hour at AWS, as here unless told otherwise.
    variables = {**os.environ, "LARDER_SERVE_BIND": address, "LARDER_STORE_REGION": "us-east-2", "LARDER_DRAIN_MAX_AGE_SECONDS": "1"}
    printed = subprocess.run([larder, "--store", store, "serve", "--print-env"], env=variables, check=True, stdout=subprocess.PIPE, text=True).stdout
    exports = {}
    for line in printed.splitlines():
        name, value = line.removeprefix("export ").split("=", 1)
        exports[name] = shlex.split(value.replace("${PYTHONPATH:+:$PYTHONPATH}", ""))[0]
    server = subprocess.Popen([larder, "--store", store, "serve"], env=variables, stdout=subprocess.PIPE, text=True)
    if not server.stdout.readline().startswith("listening on"):
        raise SystemExit("the server did not start")
    return server, exports


def expected_failures(version):
    """Patterns of tests that don't pass, with the reason."""
    with open(os.path.join(HERE, "integration_expected.txt")) as file:
        lines = [line.strip() for line in file if line.strip() and not line.startswith("#")]
    parts = [line.split(None, 2) for line in lines]
    return [(pattern, reason) for of, pattern, reason in parts if of == version]


def run(version, options):
    interpreter = python(version, getattr(options, f"python_{version}"))
    with tempfile.TemporaryDirectory() as folder:
        files = lay_out(version, os.path.join(folder, "suite"), options)
        server, exports = serve(options.larder, os.path.join(folder, "store"))
        try:
            variables = {**os.environ, **exports, "TMPDIR": folder}
            command = [interpreter, "-m", "pytest", "-p", "no:cacheprovider", "-rA", "--tb=short", "-q", *files]
            command += ["-k", options.k] if options.k else []
            ran = subprocess.run(command, cwd=os.path.join(folder, "suite"), env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            alive = server.poll() is None
        finally:
            server.terminate()
            server.wait()
    outcomes = dict(reversed(pair) for pair in re.findall(r"^(PASSED|FAILED|ERROR|XFAIL|XPASS) \S*?(test_\w+\.py::\S+)", ran.stdout, re.M))
    skipped = sum(map(int, re.findall(r"^SKIPPED \[(\d+)\]", ran.stdout, re.M)))
    known = expected_failures(version)
    surprises = []
    for test, outcome in outcomes.items():
        reasons = [reason for pattern, reason in known if fnmatch.fnmatch(test, pattern)]
        if outcome != "PASSED" and not reasons:
            surprises.append(f"{test} did not pass")
        if outcome == "PASSED" and reasons:
            surprises.append(f"{test} passes, though it is listed: {reasons[0]}")
        if outcome != "PASSED" and reasons:
            print(f"{version}: {test}: {reasons[0]}")
    passed = sum(outcome == "PASSED" for outcome in outcomes.values())
    print(f"{version}: {passed} of {len(outcomes)} passed, {skipped} skipped by their authors")
    if surprises or not outcomes or not alive:
        print(ran.stdout)
        print("\n".join(surprises), "" if alive else "the server ended", sep="\n")
        return False
    return True


if __name__ == "__main__":
    options = parser.parse_args()
    options.larder = shutil.which(options.larder) or os.path.abspath(options.larder)
    results = [run(version, options) for version in options.versions or ["v2", "v3"]]
    sys.exit(0 if all(results) else 1)
