# Histories with real processes: clients of three gateways put, put on condition, delete, get and list few keys
# while gateways and peers are killed, or stand still for a while and come back. One sequence must explain what
# the clients of each history were told (history_check.c).
#
#	s3_histories.py PROGRAM HISTORY_CHECK COUNT
#
# Many histories run at once, each on keys of its own in one bucket, so that their commits mix.
import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
import time

import botocore.exceptions
from s3_network import Network

PUT, PUT_NEW, PUT_OVER, DELETE, GET, LIST = range(6)  # enum history_what
OK, REFUSED, ABSENT, UNKNOWN = range(4)  # enum history_answer
NEVER = 2**64 - 1
KEYS = ["a", "a/b", "b", "c"]
GATEWAYS, CLIENTS, CALLS, AT_ONCE = 3, 2, 8, 6
OFTEN = [PUT, PUT_NEW, PUT_NEW, PUT_OVER, PUT_OVER, DELETE, GET, GET, LIST]
BUCKET = "histories"
program, checker, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
seed = int(time.time())
random.seed(seed)
header = threading.local()


def etag(value):
    return hashlib.md5(b"%d" % value).hexdigest()


def add_header(params, **_):
    params["headers"].update(getattr(header, "add", {}))


class Door:
    """A gateway as its clients know it: another address after each start."""

    def __init__(self, net):
        self.net, self.gateway = net, net.gateway()
        self.renew()

    def renew(self):
        self.s3 = self.net.client(self.gateway.endpoint, 20)
        self.s3.meta.events.register("before-call.s3.PutObject", add_header)


class History:
    def __init__(self, number):
        self.prefix, self.calls, self.values, self.last = "h%d/" % number, [], 0, [0] * len(KEYS)
        self.lock = threading.Lock()
        self.by_etag = {etag(n): n for n in range(1, GATEWAYS * CLIENTS * CALLS + 1)}

    def perform(self, s3, c):
        key = self.prefix + KEYS[c["key"]]
        header.add = {}
        if c["what"] == GET:
            try:
                got = s3.get_object(Bucket=BUCKET, Key=key)
                c["got"] = int(got["Body"].read())
            except s3.exceptions.NoSuchKey as e:
                got = e.response
            return is_current(got)
        if c["what"] == LIST:
            got = s3.list_objects_v2(Bucket=BUCKET, Prefix=self.prefix)
            for o in got.get("Contents", []):
                c["list"][KEYS.index(o["Key"][len(self.prefix):])] = self.by_etag[o["ETag"].strip('"')]
            return is_current(got)
        if c["what"] == DELETE:
            s3.delete_object(Bucket=BUCKET, Key=key)
            return True
        if c["what"] == PUT_NEW:
            header.add = {"If-None-Match": "*"}
        elif c["what"] == PUT_OVER:
            header.add = {"If-Match": '"%s"' % etag(c["expected"])}
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"%d" % c["value"])
        return True

    def one(self, door, rng):
        with self.lock:
            self.values += 1
            c = {"what": rng.choice(OFTEN), "answer": OK, "key": rng.randrange(len(KEYS)), "value": self.values,
                 "expected": 0, "got": 0, "list": [0] * len(KEYS)}
            c["expected"] = self.last[c["key"]]
        c["from"] = time.monotonic_ns()
        noted = True
        try:
            noted = self.perform(door.s3, c)
        except botocore.exceptions.ClientError as e:
            status = e.response["ResponseMetadata"]["HTTPStatusCode"]
            c["answer"] = {412: REFUSED, 404: ABSENT}.get(status, UNKNOWN)
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.HTTPClientError):
            c["answer"] = UNKNOWN
        c["to"] = time.monotonic_ns() if c["answer"] != UNKNOWN else NEVER
        with self.lock:
            if c["what"] < GET or (noted and c["answer"] == OK):
                self.calls.append(c)
            if c["what"] <= PUT_OVER and c["answer"] == OK:
                self.last[c["key"]] = c["value"]

    def lines(self):
        return "".join("%d %d %d %d %d %d %d %d %d %d %d %d\n" % (
            c["what"], c["answer"], c["from"], c["to"], c["key"], c["value"], c["expected"], c["got"], *c["list"])
            for c in self.calls) + "\n"


def is_current(answer):
    """An answer that says that it is old claims nothing."""
    return "x-skerry-stale" not in answer["ResponseMetadata"]["HTTPHeaders"]


def client(history, door, number):
    rng = random.Random(seed * 1000003 + number)
    for _ in range(CALLS):
        history.one(door, rng)
        if rng.randrange(3) == 0:
            time.sleep(rng.random() / 10)


def tell(door, number):
    h = History(number)
    threads = [threading.Thread(target=client, args=(h, door[i % GATEWAYS], number * 100 + i))
               for i in range(GATEWAYS * CLIENTS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return h


class Faults(threading.Thread):
    """One after the other, each made good after a while; never more than a minority of the anchors at once."""

    def __init__(self, net, doors):
        super().__init__()
        self.net, self.doors, self.stop, self.done, self.error = net, doors, threading.Event(), {}, None

    def stand_still(self, pids, seconds):
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(seconds)
        for pid in pids:
            os.kill(pid, signal.SIGCONT)

    def one(self):
        what = random.choice(["gateway killed", "peers killed", "gateway stands still", "peers stand still"])
        seconds, door = 0.2 + 1.5 * random.random(), random.choice(self.doors)
        two = random.sample(range(len(self.net.peers)), 2)
        if what == "gateway killed":
            door.gateway.kill()
            time.sleep(seconds / 4)
            door.gateway.start()
            door.renew()
        elif what == "peers killed":
            for i in two:
                self.net.peer_kill(i)
            time.sleep(seconds)
            for i in two:
                self.net.peer_start(i)
            time.sleep(1)  # they join
        elif what == "gateway stands still":
            self.stand_still([door.gateway.process.pid], seconds)
        else:
            self.stand_still([self.net.peers[i] for i in two], seconds)
        self.done[what] = self.done.get(what, 0) + 1

    def run(self):
        while not self.stop.wait(0.5):
            try:
                self.one()
            except BaseException as e:
                self.error = e
                return


def run_all(net):
    net.client(net.s3["endpoint"]).create_bucket(Bucket=BUCKET)
    doors = [Door(net) for _ in range(GATEWAYS)]
    faults = Faults(net, doors)
    histories, lock, numbers = [], threading.Lock(), iter(range(count))

    def worker():
        while faults.error is None:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            h = tell(doors, number)
            with lock:
                histories.append(h)

    faults.start()
    workers = [threading.Thread(target=worker) for _ in range(AT_ONCE)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    faults.stop.set()
    faults.join()
    if faults.error:
        raise faults.error
    return histories, faults.done


def check(text):
    done = subprocess.run([checker], input=text, capture_output=True, text=True)
    if done.returncode == 2:
        raise SystemExit(done.stderr)
    return done.returncode == 0, done.stdout.strip()


def spoiled(histories):
    """One of them with a get that saw what nobody wrote: the check must see it."""
    for h in histories:
        for c in h.calls:
            if c["what"] == GET:
                return h.lines().replace("%d %d %d %d" % (GET, OK, c["from"], c["to"]),
                                         "%d %d %d %d" % (PUT_NEW, REFUSED, 0, 0))
    return None


def main():
    print("seed %d" % seed, flush=True)
    net = Network(program, 7, "3/4/6")
    try:
        histories, done = run_all(net)
    finally:
        net.close()
    calls = [c for h in histories for c in h.calls]
    good, said = check("".join(h.lines() for h in histories))
    if not good:
        path = "histories.%d.txt" % seed
        with open(path, "w") as f:
            f.writelines(h.lines() for h in histories)
        raise SystemExit("%s; all are in %s" % (said, path))
    bad = spoiled(histories)
    if bad is None or check(bad)[0]:
        raise SystemExit("a spoiled history is explained, or there is none: nothing was shown")
    print("%s; %d calls, %d of unknown fate; %s" % (
        said, len(calls), sum(c["answer"] == UNKNOWN for c in calls),
        ", ".join("%s: %d" % d for d in sorted(done.items()))))


main()
