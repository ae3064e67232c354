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


run()
