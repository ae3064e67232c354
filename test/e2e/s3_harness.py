# What cases of the S3 interface for boto3 share (s3_cases.py and its like): clients of the gateway that a line
# of JSON tells of, and the loop. Each case makes what it needs, and asserts. Prints "ok NAME" or "FAIL NAME: why".
import json
import os
import resource
import socket
import sys
import time
import traceback
import urllib.error
import urllib.request

import boto3
import botocore
from botocore.config import Config

info = json.load(open(sys.argv[1]))["s3"]
resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
CASES = []
counter = 0


def case(f):
    CASES.append(f)
    return f


def client(i, **kw):
    a = info["accounts"][i]
    return boto3.client(
        "s3", endpoint_url=info["endpoint"], region_name=info["region"],
        aws_access_key_id=a["access_key"], aws_secret_access_key=a["secret_key"],
        config=Config(signature_version="s3v4", retries={"max_attempts": 1}, **kw))


anonymous = boto3.client("s3", endpoint_url=info["endpoint"], region_name=info["region"],
                         config=Config(signature_version=botocore.UNSIGNED))
alice, bob = client(0), client(1)
ALICE, BOB = info["accounts"][0]["id"], info["accounts"][1]["id"]


def bucket(**kw):
    global counter
    counter += 1
    name = "case-%d-%d-%d" % (os.getpid(), counter, int(time.time() * 1000) % 1000000)
    alice.create_bucket(Bucket=name, **kw)
    return name


def fails(code, status, f, *a, **kw):
    try:
        f(*a, **kw)
    except botocore.exceptions.ClientError as e:
        got = (e.response["Error"]["Code"], e.response["ResponseMetadata"]["HTTPStatusCode"])
        assert got == (code, status), "%s instead of %s" % (got, (code, status))
        return e.response
    raise AssertionError("no error, expected " + code)


def body(b, k, c=alice, **kw):
    return c.get_object(Bucket=b, Key=k, **kw)["Body"].read()


def raw(method, path, headers=None, data=None):
    r = urllib.request.Request(info["endpoint"] + path, method=method, headers=headers or {}, data=data)
    try:
        with urllib.request.urlopen(r) as a:
            return a.status, dict(a.headers), a.read()
    except urllib.error.HTTPError as e:
        return e.code, dict(e.headers), e.read()


def with_header(c, operation, name, value):
    def add(params, **kw):
        params["headers"][name] = value
    c.meta.events.register("before-call.s3." + operation, add)
    return add


def until(f, seconds=20):
    end = time.time() + seconds
    while not f():
        assert time.time() < end, "it does not happen"
        time.sleep(0.1)


def plain(data, wait=True):
    """Sends bytes on a connection of their own; what comes back until it ends or pauses."""
    s = socket.create_connection(info["endpoint"][7:].split(":"), timeout=10)
    s.sendall(data)
    if not wait:
        return s
    out = b""
    try:
        while True:
            piece = s.recv(65536)
            if not piece:
                break
            out += piece
            if b"</Error>" in out or (b"\r\n\r\n" in out and b"Content-Length: 0" in out):
                break
    except (socket.timeout, ConnectionResetError):
        pass
    s.close()
    return out


def post_form(b, fields, data=b"posted", name="up.txt", host=None):
    edge = "----edge"
    text = b"".join(b'--%s\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (edge.encode(), k.encode(), v.encode())
                    for k, v in fields)
    text += b'--%s\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\nContent-Type: text/plain\r\n\r\n' % (edge.encode(), name.encode())
    text += data + b"\r\n--%s--\r\n" % edge.encode()
    headers = {"Content-Type": "multipart/form-data; boundary=" + edge}
    return raw("POST", "/" + b, dict(headers, Host=host) if host else headers, text)


class Skipped(Exception):
    pass


def needs(version, what):
    """Debian 12 has botocore 1.29, which does not know everything."""
    if tuple(map(int, botocore.__version__.split(".")[:2])) < version:
        raise Skipped("botocore %s %s" % (botocore.__version__, what))


def run():
    for f in CASES:
        began = time.time()
        try:
            f()
            print("ok   s3 %s (%.1f s)" % (f.__name__, time.time() - began), flush=True)
        except Skipped as e:
            print("SKIPPED s3 %s: %s" % (f.__name__, e), flush=True)
        except Exception as e:
            where = traceback.extract_tb(e.__traceback__)
            line = [x.lineno for x in where if x.filename != __file__][-1]
            print("FAIL s3 %s: line %d: %s" % (f.__name__, line, str(e).replace("\n", " ")[:300]), flush=True)
    print("done")
