# kill -9 under mixed load: what a client was told is done must be so afterwards, through another gateway.
#
#	s3_kill.py PROGRAM ROUNDS [CLIENTS] [VICTIM...]
#
# A round kills one kind of victim after the other (all by default): "gateway", the one that the clients use;
# "peers", two of seven, a minority of the anchors of each bucket, while the clients go on; "all", each process.
import random
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import botocore.exceptions
from s3_network import Network

BUCKET = "kill"
KEYS_EACH = 10
READERS = 16
GOES_ON_SECONDS = 60  # so long a write may take to succeed with a minority of the peers gone
program, rounds = sys.argv[1], int(sys.argv[2])
clients = int(sys.argv[3]) if len(sys.argv) > 3 else 64
victims = sys.argv[4:] or ["gateway", "peers", "all"]
seed = int(time.time())
print("seed %d" % seed, flush=True)
unknown = (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError, botocore.exceptions.HTTPClientError)


class Wrong(Exception):
    pass


def body(key, n):
    """Mostly inlined in the log, some packed, few with shards of their own."""
    repeat = 40 if n % 5 else 3000 if n % 3 else 120000
    return (key.encode() + b"/%d/" % n) * repeat


def read(s3, key):
    try:
        return s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    except s3.exceptions.NoSuchKey:
        return None


def compare(key, got, may):
    if got not in [None if n is None else body(key, n) for n in may]:
        raise Wrong("%s is %s, may be one of %s" % (key, got and got[:40], sorted(may, key=str)))


class Client(threading.Thread):
    """Writes and reads its own keys. may: of each key the values that it can have."""

    def __init__(self, number):
        super().__init__()
        self.number, self.may, self.n, self.random = number, {}, 0, random.Random(seed * 1000 + number)
        self.done = self.refused = 0
        self.wrong = None

    def begin(self, s3):
        super().__init__()
        self.s3, self.stop, self.last = s3, threading.Event(), 0
        self.start()

    def step(self):
        key = "w%d/%d" % (self.number, self.random.randrange(KEYS_EACH))
        may = self.may.setdefault(key, {None})
        what = self.random.randrange(10)
        if what < 2:
            compare(key, read(self.s3, key), may)
        elif what == 2:
            listed = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=key, Delimiter="/").get("Contents", [])
            if not listed and None not in may or listed and may == {None}:
                raise Wrong("%s is listed %d times, may be one of %s" % (key, len(listed), may))
        elif what == 3:
            self.may[key] = may | {None}
            self.s3.delete_object(Bucket=BUCKET, Key=key)
            self.may[key] = {None}
        else:
            self.n += 1
            self.may[key] = may | {self.n}
            self.s3.put_object(Bucket=BUCKET, Key=key, Body=body(key, self.n))
            self.may[key] = {self.n}
            self.last = time.monotonic()
        self.done += 1

    def run(self):
        while not self.stop.is_set():
            try:
                self.step()
            except Wrong as e:
                self.wrong = e
                return
            except unknown:
                self.refused += 1
                self.stop.wait(0.05)


def verify(net, s3, load):
    """All of it through another gateway; what is listed can be read."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    listed = {o["Key"]: o["Size"] for page in pages for o in page.get("Contents", [])}
    may = {key: values for c in load for key, values in c.may.items()}

    def one(key):
        got = read(s3, key)
        compare(key, got, may.get(key, {None}))
        if listed.get(key) != (None if got is None else len(got)):
            raise Wrong("%s is listed with %s bytes, read %s" % (key, listed.get(key), got and len(got)))
        return key, got

    with ThreadPoolExecutor(READERS) as pool:
        return dict(pool.map(one, sorted(set(listed) | set(may))))


def settle(load, seen):
    """After a later write by another gateway nothing of unknown fate can take place any more."""
    for c in load:
        for key, values in c.may.items():
            c.may[key] = {n for n in values if seen[key] == (None if n is None else body(key, n))}


def one_round(net, load, victim):
    s3 = net.client(net.gateways[0].endpoint)
    for c in load:
        c.begin(s3)
    time.sleep(0.5 + load[0].random.random())
    killed = []
    if victim == "gateway":
        net.gateways[0].kill()
    elif victim == "peers":
        killed = load[0].random.sample(range(len(net.peers)), 2)
        for i in killed:
            net.peer_kill(i)
        at, deadline = time.monotonic(), time.monotonic() + GOES_ON_SECONDS
        while not any(c.last > at + 0.2 for c in load):
            if time.monotonic() > deadline:
                raise Wrong("no write succeeded for %d s after two peers were killed" % GOES_ON_SECONDS)
            time.sleep(0.05)
    else:
        net.kill()
    for c in load:
        c.stop.set()
    for c in load:
        c.join()
        if c.wrong:
            raise c.wrong
    if victim == "all":
        net.start()
        net.gateway()
    for i in killed:
        net.peer_start(i)
    if victim == "gateway":
        net.gateways[0].start()
    other = net.client(net.s3["endpoint"])
    other.put_object(Bucket=BUCKET, Key="settled", Body=b"")
    other.delete_object(Bucket=BUCKET, Key="settled")
    seen = verify(net, other, load)
    if victim != "peers":
        settle(load, seen)
    return len(seen)


def main():
    net = Network(program, 7, "3/4/6")
    load = [Client(i) for i in range(clients)]
    try:
        net.gateway()
        net.client(net.s3["endpoint"]).create_bucket(Bucket=BUCKET)
        for r in range(rounds):
            victim, done, began = victims[r % len(victims)], sum(c.done for c in load), time.monotonic()
            keys = one_round(net, load, victim)
            print("round %d, %s: %d done, %d keys as they may be, %.1f s"
                  % (r, victim, sum(c.done for c in load) - done, keys, time.monotonic() - began), flush=True)
        if sum(c.done for c in load) == 0:
            raise Wrong("nothing was acknowledged: nothing was tried")
        print("%d rounds, %d clients: %d calls answered, %d refused or cut off, nothing lost"
              % (rounds, clients, sum(c.done for c in load), sum(c.refused for c in load)))
    except Wrong as e:
        raise SystemExit(str(e))
    finally:
        net.close()


main()
