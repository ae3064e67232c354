# kill -9 of a gateway under mixed load, some rounds: what a client was told is done must be so, through
# another gateway that runs beside it. Arguments: program, directory of the network, its line of JSON.
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time

import boto3
from botocore.config import Config

program, net, line = sys.argv[1:4]
info = json.load(open(line))["s3"]
ROUNDS, WRITERS = int(os.environ.get("ROUNDS", "3")), 8


def client(endpoint):
    a = info["accounts"][0]
    return boto3.client("s3", endpoint_url=endpoint, region_name=info["region"], aws_access_key_id=a["access_key"],
                        aws_secret_access_key=a["secret_key"],
                        config=Config(signature_version="s3v4", retries={"max_attempts": 1}, connect_timeout=5, read_timeout=30))


def start():
    p = subprocess.Popen([program, "gateway", "--dir", net, "--listen", "127.0.0.1:0", "--json"], stdout=subprocess.PIPE)
    text = p.stdout.readline()
    if not text:
        sys.exit("the gateway did not start: code %s" % p.wait())
    return p, json.loads(text)["endpoint"]


def body(key, n):
    return (key.encode() + b"/") * (1 + n % 3000)


def write(endpoint, who, held, stop):
    c = client(endpoint)
    n = 0
    while not stop.is_set():
        key = "w%d/%d" % (who, n % 20)
        held.setdefault(key, {None})
        try:
            if n % 7 == 6:
                held[key] = held[key] | {None}
                c.delete_object(Bucket="kill", Key=key)
                held[key] = {None}
            else:
                held[key] = held[key] | {n}
                c.put_object(Bucket="kill", Key=key, Body=body(key, n))
                held[key] = {n}
        except Exception:
            return  # of unknown fate: either the old or the new
        n += 1


other = client(info["endpoint"])
other.create_bucket(Bucket="kill")
acknowledged = 0
for r in range(ROUNDS):
    p, endpoint = start()
    held, stop = {}, threading.Event()
    for key in other.list_objects_v2(Bucket="kill").get("Contents", []):
        other.delete_object(Bucket="kill", Key=key["Key"])
    threads = [threading.Thread(target=write, args=(endpoint, i, held, stop)) for i in range(WRITERS)]
    for t in threads:
        t.start()
    time.sleep(1.5 + r * 0.3)
    p.send_signal(signal.SIGKILL)
    stop.set()
    for t in threads:
        t.join()
    p.wait()
    for key, may in held.items():
        try:
            got = other.get_object(Bucket="kill", Key=key)["Body"].read()
        except other.exceptions.NoSuchKey:
            got = None
        want = [None if n is None else body(key, n) for n in may]
        if got not in want:
            sys.exit("round %d: %s is %s, may be one of %s" % (r, key, got and got[:40], sorted(may, key=str)))
        acknowledged += len(may) == 1
if acknowledged == 0:
    sys.exit("nothing was acknowledged: nothing was tried")
print("%d rounds, %d settled keys" % (ROUNDS, acknowledged))
