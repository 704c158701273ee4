#!/usr/bin/env python3
"""An S3 server on loopback: moto, one request at a time, so that its conditional puts are as atomic as S3's.

    bucket.py [BUCKET…]

Makes the buckets, prints `listening on http://…` and serves until it is ended. `GET /-/read` tells how many bytes of objects were sent
since it was last asked.
"""

import logging
import sys
import threading
import urllib.request

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

logging.getLogger("werkzeug").setLevel(logging.ERROR)


class Counted:
    """The bytes that reads of objects were answered with."""

    def __init__(self, application):
        self.application, self.sent = application, 0

    def __call__(self, environ, start_response):
        if environ["PATH_INFO"] == "/-/read":
            text, self.sent = str(self.sent).encode(), 0
            start_response("200 OK", [("Content-Length", str(len(text)))])
            return [text]
        # Path style: a slash after the bucket's name, so a listing of the bucket is no read.
        of_object = environ["REQUEST_METHOD"] == "GET" and "/" in environ["PATH_INFO"].strip("/")
        return self.count(self.application(environ, start_response)) if of_object else self.application(environ, start_response)

    def count(self, body):
        for part in body:
            self.sent += len(part)
            yield part


class Quiet(WSGIRequestHandler):
    def log_request(self, *_):
        pass


def main():
    server = make_server("127.0.0.1", 0, Counted(DomainDispatcherApplication(create_backend_app)), threaded=False, request_handler=Quiet)
    address = f"http://127.0.0.1:{server.port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for bucket in sys.argv[1:]:
        headers = {"Authorization": "AWS4-HMAC-SHA256 Credential=any/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"}
        urllib.request.urlopen(urllib.request.Request(f"{address}/{bucket}", method="PUT", headers=headers)).read()
    print(f"listening on {address}", flush=True)
    threading.Event().wait()


main()
