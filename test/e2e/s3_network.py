# A network with gateways whose processes are killed and started again: what s3_kill.py and s3_histories.py share.
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import boto3
from botocore.config import Config

STOP_SECONDS = 30
# What runs is ended before we are: by the "finally" of the callers.
signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))


def until(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("%s: not within %d s" % (what, seconds))
        time.sleep(0.02)


def ended(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def end_of(log):
    with open(log) as f:
        return f.read()[-500:]


class Gateway:
    """A gateway beside the network's own. Its endpoint is told anew at each start."""

    def __init__(self, program, net, log):
        self.command = [program, "gateway", "--dir", net, "--listen", "127.0.0.1:0", "--json"]
        self.log = log
        self.start()

    def start(self):
        with open(self.log, "a") as err:
            self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=err,
                                            stdin=subprocess.DEVNULL)
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("the gateway did not start: code %s: %s" % (self.process.wait(), end_of(self.log)))
        self.endpoint = json.loads(line)["endpoint"]

    def kill(self, how=signal.SIGKILL):
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise SystemExit("a gateway did not end within %d s" % STOP_SECONDS)


class Network:
    """Peers of `skerry testnet`; each can be killed and started again by itself, or all at once."""

    def __init__(self, program, peers, code):
        self.program, self.work = program, tempfile.mkdtemp(prefix="skerry-e2e.", dir=os.environ.get("TMPDIR"))
        self.dir, self.log = os.path.join(self.work, "net"), os.path.join(self.work, "log")
        self.options = ["--peers", str(peers), "--code", code]
        self.gateways, self.alone = [], {}
        self.start()

    def start(self):
        with open(self.log, "a") as err:
            self.process = subprocess.Popen(
                [self.program, "testnet", "--dir", self.dir, "--s3", "0", "--json"] + self.options,
                stdout=subprocess.PIPE, stderr=err, stdin=subprocess.DEVNULL)
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("no network: " + end_of(self.log))
        info = json.loads(line)
        self.s3, self.peers, self.gateway_pid = info["s3"], [p["pid"] for p in info["peers"]], info["s3"]["gateway_pid"]
        self.commands = []
        for pid in self.peers:
            with open("/proc/%d/cmdline" % pid, "rb") as f:
                self.commands.append(f.read().split(b"\0")[:-1])

    def gateway(self):
        self.gateways.append(Gateway(self.program, self.dir, self.log))
        return self.gateways[-1]

    def client(self, endpoint, seconds=30):
        account = self.s3["accounts"][0]
        return boto3.client("s3", endpoint_url=endpoint, region_name=self.s3["region"],
                            aws_access_key_id=account["access_key"], aws_secret_access_key=account["secret_key"],
                            config=Config(signature_version="s3v4", retries={"max_attempts": 1}, connect_timeout=5,
                                          read_timeout=seconds))

    def peer_kill(self, i):
        os.kill(self.peers[i], signal.SIGKILL)
        until(lambda: ended(self.peers[i]), STOP_SECONDS, "end of a killed peer")
        if i in self.alone:
            self.alone.pop(i).wait()

    def peer_start(self, i):
        with open(self.log, "a") as err:
            self.alone[i] = subprocess.Popen(self.commands[i], executable=self.program, stdout=subprocess.DEVNULL,
                                             stderr=err, stdin=subprocess.DEVNULL)
        self.peers[i] = self.alone[i].pid

    def everything(self):
        own = [self.process.pid, self.gateway_pid] + self.peers
        return own + [g.process.pid for g in self.gateways if g.process.poll() is None]

    def kill(self):
        """Power cut for all of it."""
        pids = self.everything()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for process in [self.process] + [g.process for g in self.gateways] + list(self.alone.values()):
            process.wait()
        until(lambda: all(ended(pid) for pid in pids), STOP_SECONDS, "end of all")
        self.gateways, self.alone = [], {}

    def close(self):
        self.kill()
        shutil.rmtree(self.work, ignore_errors=True)
