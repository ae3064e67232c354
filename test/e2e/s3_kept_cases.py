# Cases of the S3 interface for boto3 about what the gateway of memory keeps from its beginning (test/e2e/s3_memory.c),
# which no client could make (test/e2e/s3).
import base64
import hashlib
import hmac

from s3_harness import *


def deep_policy(b, levels):
    allow = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::%s/*" % b}
    return json.dumps({"Statement": [allow], "Note": 0}).replace("0}", "[" * levels + "]" * levels + "}")


@case
def deep_policies():
    b = bucket()
    alice.put_bucket_policy(Bucket=b, Policy=deep_policy(b, 31))
    for levels in (32, 1000, 2000, 9000):
        r = fails("MalformedPolicy", 400, alice.put_bucket_policy, Bucket=b, Policy=deep_policy(b, levels))
        assert "deep" in r["Error"]["Message"]
    assert alice.get_bucket_policy(Bucket=b)["Policy"] == deep_policy(b, 31)


@case
def deep_policies_of_forms():
    b, a = bucket(), info["accounts"][0]
    for levels in (100, 1500, 2000, 5000):
        p = base64.b64encode(b'{"a":' + b"[" * levels + b"]" * levels + b"}").decode()
        s = base64.b64encode(hmac.new(a["secret_key"].encode(), p.encode(), hashlib.sha1).digest()).decode()
        status, _, text = post_form(b, [("key", "k"), ("AWSAccessKeyId", a["access_key"]), ("policy", p), ("signature", s)])
        assert status == 400 and b"InvalidPolicyDocument" in text and b"too deep" in text, text


@case
def a_policy_that_cannot_be_read():
    # Nobody knows what it denies; its bucket's owner can put another one.
    b = info["unreadable"]
    for c in (anonymous, bob, alice):
        fails("AccessDenied", 403, c.get_object, Bucket=b, Key="k")
        fails("AccessDenied", 403, c.put_object, Bucket=b, Key="k", Body=b"x")
    for c in (anonymous, bob):
        r = fails("AccessDenied", 403, c.get_bucket_policy, Bucket=b)
        assert "policy" not in r["Error"]["Message"]
        fails("AccessDenied", 403, c.delete_bucket_policy, Bucket=b)
    assert "policy" in fails("AccessDenied", 403, alice.list_objects_v2, Bucket=b)["Error"]["Message"]
    assert alice.get_bucket_policy(Bucket=b)["Policy"].count("[") == 2000
    assert not alice.get_bucket_policy_status(Bucket=b)["PolicyStatus"]["IsPublic"]
    alice.put_bucket_policy(Bucket=b, Policy=deep_policy(b, 1))
    alice.put_object(Bucket=b, Key="k", Body=b"x")
    assert body(b, "k", bob) == b"x"
    alice.delete_bucket_policy(Bucket=b)
    fails("AccessDenied", 403, bob.get_object, Bucket=b, Key="k")


@case
def keys_for_one_bucket():
    # The third key is alice's, for one bucket that is not there yet; made by whoever it is, others stay shut.
    narrow, b, other = client(2), info["narrow"], bucket()
    names = lambda c, **kw: [x["Name"] for x in c.list_buckets(**kw)["Buckets"]]
    assert names(narrow) == []
    fails("AccessDenied", 403, narrow.create_bucket, Bucket=b + "-2")
    fails("AccessDenied", 403, narrow.create_bucket, Bucket=b[:-1], ACL="public-read-write")
    fails("AccessDenied", 403, narrow.create_bucket, Bucket=other)
    assert b + "-2" not in names(alice) and b[:-1] not in names(alice)
    narrow.create_bucket(Bucket=b)
    narrow.put_object(Bucket=b, Key="k", Body=b"x")
    assert body(b, "k", narrow) == b"x" and narrow.list_objects_v2(Bucket=b)["KeyCount"] == 1
    for f in (narrow.list_objects_v2, narrow.get_bucket_location, narrow.delete_bucket):
        fails("AccessDenied", 403, f, Bucket=other)
    assert names(narrow) == [b] and {b, other} <= set(names(alice)) and names(client(1)) == []
    # Those that it does not see are no part of a page either.
    c = client(2)
    c.meta.events.register("before-call.s3.ListBuckets", lambda params, **_: params.update(
        url=params["url"] + "?max-buckets=1"))
    r = c.list_buckets()
    assert [x["Name"] for x in r["Buckets"]] == [b] and "ContinuationToken" not in r
    narrow.delete_object(Bucket=b, Key="k")
    narrow.delete_bucket(Bucket=b)


run()
