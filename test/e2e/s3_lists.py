# Files of several sizes, and lists of many keys with odd characters in them, written and read through two gateways at
# once (test/e2e/s3_clients). What a list must say is worked out from the keys alone.
import hashlib
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

ENDPOINTS, KEYS, FILES = sys.argv[1:3], int(sys.argv[5]), sys.argv[6]
THREADS = 8
BOTH = 100  # keys that both gateways write at the same time: each must give way to the other all the time
ODD = ["ü", "\u4e2d\u6587", "\U0001f30a", "a b", "a+b", "%41", "&=?#", "'\"<>", "\\", "~", "\x7f", "*", ":"]
clients = [boto3.client("s3", endpoint_url=e, region_name="us-east-1", aws_access_key_id=sys.argv[3],
                        aws_secret_access_key=sys.argv[4], config=Config(max_pool_connections=THREADS)) for e in ENDPOINTS]
one, two = clients


def digest(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        while piece := f.read(1 << 20):
            h.update(piece)
    return h.digest()


def sizes():
    one.create_bucket(Bucket="boto-bucket")
    way = TransferConfig(multipart_chunksize=8 << 20, max_concurrency=4)
    for name in sorted(os.listdir(FILES)):
        path = os.path.join(FILES, name)
        one.upload_file(path, "boto-bucket", name, Config=way)
        two.download_file("boto-bucket", name, path + ".back", Config=way)
        assert digest(path) == digest(path + ".back"), name
        os.unlink(path + ".back")
        two.delete_object(Bucket="boto-bucket", Key=name)
    one.delete_bucket(Bucket="boto-bucket")


def order(keys):
    return sorted(keys, key=lambda k: k.encode())


def grouped(keys, prefix, delimiter):
    """Keys and common prefixes, as one sequence in the order of their bytes."""
    groups = set()
    for k in keys:
        if k.startswith(prefix):
            at = k.find(delimiter, len(prefix)) if delimiter else -1
            groups.add(k if at < 0 else k[:at + len(delimiter)])
    return order(groups)


def listed(client, version, prefix, delimiter):
    found = []
    how = {"Bucket": "lists", "Prefix": prefix}
    if delimiter:
        how["Delimiter"] = delimiter
    while True:
        page = (client.list_objects_v2 if version == 2 else client.list_objects)(**how)
        here = [o["Key"] for o in page.get("Contents", [])] + [p["Prefix"] for p in page.get("CommonPrefixes", [])]
        assert len(here) <= 1000
        found += order(here)
        if not page["IsTruncated"]:
            return found
        if version == 2:
            how["ContinuationToken"] = page["NextContinuationToken"]
        else:
            how["Marker"] = page.get("NextMarker", here[-1])


def lists():
    one.create_bucket(Bucket="lists")
    keys = ["%s/%03d/%s%d" % (ODD[i % len(ODD)], i % 97, ODD[i // 7 % len(ODD)], i) for i in range(KEYS)]
    writer = lambda i: clients[i % 2 if i < BOTH else i * 2 // KEYS]
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda i: writer(i).put_object(Bucket="lists", Key=keys[i], Body=keys[i].encode()),
                      range(KEYS)))
    for client in clients:
        for version in (1, 2):
            for prefix, delimiter in (("", ""), ("", "/"), (ODD[0] + "/", "/"), (ODD[5], ""), ("", ODD[1]), ("none", "/")):
                want, got = grouped(keys, prefix, delimiter), listed(client, version, prefix, delimiter)
                assert got == want, (version, prefix, delimiter, len(got), len(want))
    for i in range(0, KEYS, max(1, KEYS // 50)):
        assert clients[(i + 1) % 2].get_object(Bucket="lists", Key=keys[i])["Body"].read() == keys[i].encode()
    with ThreadPoolExecutor(2) as pool:
        for r in pool.map(lambda at: clients[at // 1000 % 2].delete_objects(
                Bucket="lists", Delete={"Objects": [{"Key": k} for k in keys[at:at + 1000]]}), range(0, KEYS, 1000)):
            assert "Errors" not in r, r["Errors"][0]
    assert listed(two, 2, "", "") == []
    two.delete_bucket(Bucket="lists")


sizes()
lists()
