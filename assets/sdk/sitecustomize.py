"""Lets the SageMaker SDK ask the server that AWS_ENDPOINT_URL names who is calling, instead of Amazon's.

The SDK spells the address of STS out, so that AWS_ENDPOINT_URL does not reach it. Python runs this file at its start when its folder
is on PYTHONPATH; it waits for boto3 and takes that one address out of the call. Nothing else is changed, and nothing at all
where AWS_ENDPOINT_URL is not set.
"""
import importlib.machinery
import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))


def _redirect(session):
    client = session.Session.client

    def client_by_environment(self, service_name, *arguments, **options):
        address = str(options.get("endpoint_url") or "")
        if service_name == "sts" and "amazonaws.com" in address:
            options["endpoint_url"] = os.environ.get("AWS_ENDPOINT_URL_STS") or os.environ["AWS_ENDPOINT_URL"]
        return client(self, service_name, *arguments, **options)

    session.Session.client = client_by_environment


class _WaitsForBoto3:
    def find_spec(self, name, path=None, target=None):
        if name != "boto3.session":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def execute_and_redirect(module):
            execute(module)
            _redirect(module)

        spec.loader.exec_module = execute_and_redirect
        sys.meta_path.remove(self)
        return spec


if os.environ.get("AWS_ENDPOINT_URL"):
    sys.meta_path.insert(0, _WaitsForBoto3())

# This file hides another of its name further down the path; that one runs too.
_others = [folder for folder in sys.path if os.path.abspath(folder or ".") != _HERE]
_spec = importlib.machinery.PathFinder.find_spec("sitecustomize", _others)
if _spec is not None and _spec.loader is not None:
    import importlib.util

    _spec.loader.exec_module(importlib.util.module_from_spec(_spec))
