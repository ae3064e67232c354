# Cases of the S3 interface for boto3: who may do what, and how requests show who sends them (test/e2e/s3).
import base64
import hashlib
import hmac
import time
from datetime import datetime, timedelta, timezone

from s3_harness import *


@case
def acls_and_strangers():
    b = bucket()
    alice.put_object(Bucket=b, Key="k", Body=b"x")
    fails("AccessDenied", 403, bob.get_object, Bucket=b, Key="k")
    fails("AccessDenied", 403, anonymous.get_object, Bucket=b, Key="k")
    alice.put_object_acl(Bucket=b, Key="k", ACL="public-read")
    assert body(b, "k", bob) == b"x" and body(b, "k", anonymous) == b"x"
    fails("AccessDenied", 403, anonymous.put_object, Bucket=b, Key="n", Body=b"y")
    alice.put_bucket_acl(Bucket=b, ACL="public-read-write")
    bob.put_object(Bucket=b, Key="n", Body=b"y")
    assert alice.get_object_acl(Bucket=b, Key="k")["Grants"][0]["Grantee"]["URI"].endswith("AllUsers")
    alice.put_object_acl(Bucket=b, Key="k", GrantRead='id="%s"' % BOB)
    assert body(b, "k", bob) == b"x"
    fails("AccessDenied", 403, anonymous.get_object, Bucket=b, Key="k")
    alice.put_public_access_block(Bucket=b, PublicAccessBlockConfiguration={"BlockPublicAcls": True})
    fails("AccessDenied", 403, alice.put_object_acl, Bucket=b, Key="k", ACL="public-read")
    fails("InvalidBucketAclWithObjectOwnership", 400, alice.put_bucket_ownership_controls, Bucket=b,
          OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]})
    # Who gives all grants away has still the ACL, and with it all of them.
    c = bucket()
    alice.put_bucket_acl(Bucket=c, AccessControlPolicy={
        "Owner": {"ID": ALICE}, "Grants": [{"Grantee": {"Type": "CanonicalUser", "ID": BOB}, "Permission": "WRITE"}]})
    fails("AccessDenied", 403, alice.put_object, Bucket=c, Key="k", Body=b"x")
    fails("AccessDenied", 403, alice.list_objects, Bucket=c)
    bob.put_object(Bucket=c, Key="k", Body=b"y")
    alice.put_bucket_acl(Bucket=c, ACL="private")
    alice.put_object(Bucket=c, Key="k", Body=b"x")
    c = bucket(ObjectOwnership="BucketOwnerEnforced")
    fails("AccessControlListNotSupported", 400, alice.put_object, Bucket=c, Key="k", ACL="public-read")
    fails("AccessControlListNotSupported", 400, alice.put_bucket_acl, Bucket=c, ACL="public-read")
    assert alice.get_bucket_ownership_controls(Bucket=c)["OwnershipControls"]["Rules"][0]["ObjectOwnership"] == "BucketOwnerEnforced"


@case
def policies():
    b = bucket()
    alice.put_object(Bucket=b, Key="pub/k", Body=b"x")
    alice.put_object(Bucket=b, Key="k", Body=b"x")
    fails("NoSuchBucketPolicy", 404, alice.get_bucket_policy, Bucket=b)
    p = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::%s/pub/*" % b},
        {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::%s:root" % BOB}, "Action": ["s3:ListBucket"],
         "Resource": "arn:aws:s3:::%s" % b, "Condition": {"StringEquals": {"s3:prefix": "pub/"}}},
        {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::%s/no/*" % b}]}
    alice.put_bucket_policy(Bucket=b, Policy=json.dumps(p))
    assert json.loads(alice.get_bucket_policy(Bucket=b)["Policy"]) == p
    assert body(b, "pub/k", anonymous) == b"x"
    fails("AccessDenied", 403, anonymous.get_object, Bucket=b, Key="k")
    assert len(bob.list_objects_v2(Bucket=b, Prefix="pub/")["Contents"]) == 1
    fails("AccessDenied", 403, bob.list_objects_v2, Bucket=b)
    fails("AccessDenied", 403, alice.put_object, Bucket=b, Key="no/x", Body=b"")
    assert alice.get_bucket_policy_status(Bucket=b)["PolicyStatus"]["IsPublic"]
    assert not alice.get_bucket_policy_status(Bucket=bucket())["PolicyStatus"]["IsPublic"]
    assert alice.get_bucket_policy_status(Bucket=bucket(ACL="public-read"))["PolicyStatus"]["IsPublic"]
    for bad in ("{", "{}", json.dumps({"Statement": [{"Effect": "Allow"}]}),
                json.dumps(p).replace('"Principal": "*"', '"NotPrincipal": "*"', 1), json.dumps(p).replace(b, "other-bucket")):
        fails("MalformedPolicy", 400, alice.put_bucket_policy, Bucket=b, Policy=bad)
    p["Statement"][1]["Condition"] = {"StringLike": {"s3:prefix": "list/*", "aws:PrincipalArn": "arn:*:%s:root" % BOB}}
    alice.put_bucket_policy(Bucket=b, Policy=json.dumps(p))
    fails("NoSuchKey", 404, bob.get_object, Bucket=b, Key="list/none")
    fails("AccessDenied", 403, bob.get_object, Bucket=b, Key="other/none")
    fails("AccessDenied", 403, anonymous.get_object, Bucket=b, Key="list/none")
    alice.delete_bucket_policy(Bucket=b)
    fails("AccessDenied", 403, anonymous.get_object, Bucket=b, Key="pub/k")


@case
def policies_that_want_conditions():
    b = bucket()
    alice.put_bucket_policy(Bucket=b, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::%s/*" % b,
         "Condition": {"Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}}}]}))
    c = client(0)
    with_header(c, "PutObject", "If-None-Match", "*")
    with_header(c, "CompleteMultipartUpload", "If-None-Match", "*")
    fails("AccessDenied", 403, alice.put_object, Bucket=b, Key="k", Body=b"1")
    c.put_object(Bucket=b, Key="k", Body=b"1")
    u = alice.create_multipart_upload(Bucket=b, Key="m")["UploadId"]
    p = alice.upload_part(Bucket=b, Key="m", UploadId=u, PartNumber=1, Body=b"1")
    what = {"Bucket": b, "Key": "m", "UploadId": u,
            "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": p["ETag"]}]}}
    fails("AccessDenied", 403, alice.complete_multipart_upload, **what)
    c.complete_multipart_upload(**what)
    # A Deny by a key that nobody looks at would deny nothing.
    for key, code, status in (("s3:TlsVersion", "NotImplemented", 501), ("s3:NoSuchKey", "MalformedPolicy", 400)):
        fails(code, status, alice.put_bucket_policy, Bucket=b, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::" + b,
             "Condition": {"StringEquals": {key: "1"}}}]}))
    assert "TlsVersion" not in alice.get_bucket_policy(Bucket=b)["Policy"]


def with_query(c, operation, query):
    c.meta.events.register("before-call.s3." + operation, lambda params, **_: params.update(
        url=params["url"] + ("&" if "?" in params["url"] else "?") + query))
    return c


@case
def questions_about_many_keys():
    # Of each key its own resource and version: what the query names besides is not theirs.
    b = bucket(ObjectLockEnabledForBucket=True)
    until = datetime.now(timezone.utc) + timedelta(days=1)

    def locked(k):
        return {"Key": k, "VersionId": alice.put_object(
            Bucket=b, Key=k, Body=b"x", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until)["VersionId"]}

    def deny(action, key, **more):
        alice.put_bucket_policy(Bucket=b, Policy=json.dumps({"Version": "2012-10-17", "Statement": [dict(
            Effect="Deny", Principal="*", Action=action, Resource="arn:aws:s3:::%s/%s" % (b, key), **more)]}))

    def gone(*items, c=alice, **kw):
        r = c.delete_objects(Bucket=b, Delete={"Objects": list(items)}, **kw)
        return [d["Key"] for d in r.get("Deleted", [])]
    kept, free = locked("kept/k"), locked("free")
    deny("s3:BypassGovernanceRetention", "kept/*")
    assert gone(kept, free) == []
    assert gone(kept, free, BypassGovernanceRetention=True) == ["free"]
    fails("AccessDenied", 403, alice.delete_object, Bucket=b, BypassGovernanceRetention=True, **kept)
    hinted = with_query(client(0), "DeleteObjects", "versionId=x")
    for action, item in (("s3:DeleteObject", {"Key": "kept/k"}), ("s3:DeleteObjectVersion", kept)):
        deny(action, "kept/*")
        assert gone(item) == [] and gone(item, c=hinted) == []
    deny("s3:DeleteObjectVersion", "*", Condition={"StringEquals": {"s3:VersionId": kept["VersionId"]}})
    other = dict(Key="o", VersionId=alice.put_object(Bucket=b, Key="o", Body=b"x")["VersionId"])
    assert gone(kept, other, BypassGovernanceRetention=True) == ["o"]
    u = alice.create_multipart_upload(Bucket=b, Key="to")["UploadId"]
    part = dict(Bucket=b, Key="to", UploadId=u, PartNumber=1, CopySource={"Bucket": b, "Key": "kept/k"})
    hinted = with_query(client(0), "UploadPartCopy", "versionId=" + kept["VersionId"])
    deny("s3:GetObject", "kept/*")
    for c in (alice, hinted):
        fails("AccessDenied", 403, c.upload_part_copy, **part)
    deny("s3:GetObjectVersion", "kept/*")
    for c in (alice, hinted):
        c.upload_part_copy(**part)
    part["CopySource"]["VersionId"] = kept["VersionId"]
    fails("AccessDenied", 403, alice.upload_part_copy, **part)
    alice.delete_bucket_policy(Bucket=b)


@case
def strangers_and_long_lists_to_delete():
    b, other = bucket(ACL="public-read-write"), bucket()
    small = b"<Delete><Object><Key>k</Key></Object><Object><Key>pub/k</Key></Object></Delete>"
    head = lambda name, n: b"POST /%s?delete HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n" % (name.encode(), n)
    # Who could not delete anything in any case is not asked what.
    answer = plain(head(other, 2000000) + b"Expect: 100-continue\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 403 "), answer
    alice.put_bucket_policy(Bucket=other, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "s3:DeleteObject", "Resource": "arn:aws:s3:::%s/pub/*" % other}]}))
    status, _, text = raw("POST", "/%s?delete" % other, data=small)
    assert status == 200 and b"<Deleted><Key>pub/k</Key>" in text and b"<Error><Key>k</Key>" in text, text
    # Who could must not have us keep any number of lists.
    long = b"<Delete>" + b"x" * 2090000
    slow = []

    def too_many():
        slow.append(plain(head(b, len(long) + 1) + b"\r\n" + long, False))
        return raw("POST", "/%s?delete" % b, data=long)[0] == 503
    until(too_many)
    assert len(alice.delete_objects(Bucket=b, Delete={"Objects": [{"Key": "k" * 1000 + str(i)} for i in range(1000)]})["Deleted"]) == 1000
    for s in slow:
        s.close()
    until(lambda: raw("POST", "/%s?delete" % b, data=long)[0] == 400)
    assert raw("POST", "/%s?delete" % b, data=small)[0] == 200


# In the gateway of memory what is known always lacks the last transaction, as if another gateway had made it.
@case
def puts_go_by_what_is_current():
    b = bucket()
    rule = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::%s:root" % BOB}, "Action": "s3:PutObject",
            "Resource": "arn:aws:s3:::%s/*" % b}
    what = {"Bucket": b, "Policy": json.dumps({"Version": "2012-10-17", "Statement": [rule]})}
    fails("AccessDenied", 403, bob.put_object, Bucket=b, Key="k", Body=b"0")
    alice.put_bucket_policy(**what)
    bob.put_object(Bucket=b, Key="k", Body=b"1")
    bob.put_object(Bucket=b, Key="large", Body=b"1" * 9000000)
    alice.delete_bucket_policy(Bucket=b)
    fails("AccessDenied", 403, bob.put_object, Bucket=b, Key="k", Body=b"2")
    alice.put_bucket_policy(**what)
    bob.put_object(Bucket=b, Key="k", Body=b"3")
    alice.delete_bucket_policy(Bucket=b)
    fails("AccessDenied", 403, bob.put_object, Bucket=b, Key="large", Body=b"2" * 9000000)
    assert body(b, "k", bob) == b"3" and body(b, "large", bob) == b"1" * 9000000
    assert "VersionId" not in alice.put_object(Bucket=b, Key="k", Body=b"4")
    alice.put_bucket_versioning(Bucket=b, VersioningConfiguration={"Status": "Enabled"})
    assert "VersionId" in alice.put_object(Bucket=b, Key="k", Body=b"5")
    alice.put_bucket_ownership_controls(Bucket=b, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]})
    alice.put_object(Bucket=b, Key="k", Body=b"6", ACL="public-read")
    alice.put_bucket_acl(Bucket=b, ACL="private")
    alice.put_bucket_ownership_controls(Bucket=b, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]})
    fails("AccessControlListNotSupported", 400, alice.put_object, Bucket=b, Key="k", Body=b"7", ACL="public-read")
    c = client(0)
    with_header(c, "PutObject", "If-Match", alice.head_object(Bucket=b, Key="k")["ETag"])
    c.put_object(Bucket=b, Key="k", Body=b"8")
    assert body(b, "k") == b"8"


def allow_bob(b, *actions):
    alice.put_bucket_policy(Bucket=b, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::%s:root" % BOB}, "Action": ["s3:" + a for a in actions],
         "Resource": "arn:aws:s3:::%s/*" % b}]}))


LATER = datetime.now(timezone.utc) + timedelta(seconds=600)
# What making an object sets besides, as parameters of boto3, the action that allows it, and as fields of a form.
SET_BESIDES = (
    ({"ACL": "public-read"}, "PutObjectAcl", [("acl", "public-read")]),
    ({"GrantRead": 'id="%s"' % ALICE}, "PutObjectAcl", [("x-amz-grant-read", 'id="%s"' % ALICE)]),
    ({"Tagging": "a=b"}, "PutObjectTagging",
     [("tagging", "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>")]),
    ({"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": LATER}, "PutObjectRetention",
     [("x-amz-object-lock-mode", "GOVERNANCE"),
      ("x-amz-object-lock-retain-until-date", LATER.strftime("%Y-%m-%dT%H:%M:%SZ"))]),
    ({"ObjectLockLegalHoldStatus": "ON"}, "PutObjectLegalHold", [("x-amz-object-lock-legal-hold", "ON")]))


def form_of_bob(b, fields, query=""):
    a = info["accounts"][1]
    until = (datetime.now(timezone.utc) + timedelta(seconds=600)).strftime("%Y-%m-%dT%H:%M:%SZ")
    p = base64.b64encode(json.dumps({"expiration": until, "conditions": [{"bucket": b}, {"key": "form"}] +
                                     [{k: v} for k, v in fields]}).encode()).decode()
    s = base64.b64encode(hmac.new(a["secret_key"].encode(), p.encode(), hashlib.sha1).digest()).decode()
    return post_form(b + query, [("key", "form"), ("AWSAccessKeyId", a["access_key"]), ("policy", p), ("signature", s)] + fields)[0]


@case
def what_is_set_with_an_object():
    b = bucket(ObjectLockEnabledForBucket=True)
    tagged = {"Bucket": b, "CopySource": b + "/tagged"}
    alice.put_object(Bucket=b, Key="plain", Body=b"x", ACL="public-read")
    alice.put_object(Bucket=b, Key="tagged", Body=b"x", ACL="public-read", Tagging="c=d")
    for more, action, fields in SET_BESIDES:
        replaced = dict(more, TaggingDirective="REPLACE") if "Tagging" in more else more
        copied = dict(replaced, Bucket=b, Key="copy", CopySource=b + "/plain")
        made = dict(more, Bucket=b, Key="new")
        # What is new has no version, whatever the address says.
        others = {a for _, a, _ in SET_BESIDES if a != action}
        allow_bob(b, "PutObject", "PutObjectVersionAcl", "PutObjectVersionTagging", *others)
        for f, what in ((bob.put_object, made), (bob.create_multipart_upload, made), (bob.copy_object, copied)):
            fails("AccessDenied", 403, f, **what)
        for query in ("", "?versionId=null"):
            assert form_of_bob(b, fields, query) == 403
        allow_bob(b, "PutObject", action)
        bob.put_object(**made)
        bob.copy_object(**copied)
        assert bob.create_multipart_upload(**made)["UploadId"]
        assert form_of_bob(b, fields) == 204
        alice.put_object(**made)
        if "Tagging" in more:
            bob.copy_object(Key="along", **tagged)
    # Without any of it s3:PutObject is enough, and tags that a copy takes along are tags, too.
    allow_bob(b, "PutObject")
    bob.put_object(Bucket=b, Key="new", Body=b"x")
    bob.copy_object(Bucket=b, Key="copy", CopySource=b + "/plain")
    fails("AccessDenied", 403, bob.copy_object, Key="along", **tagged)
    bob.copy_object(Key="along", TaggingDirective="REPLACE", **tagged)
    assert form_of_bob(b, []) == 204
    # By what is current, and in the transaction that names the object.
    allow_bob(b, "PutObject", "PutObjectTagging")
    bob.put_object(Bucket=b, Key="new", Body=b"x", Tagging="a=b")
    allow_bob(b, "PutObject")
    fails("AccessDenied", 403, bob.put_object, Bucket=b, Key="new", Body=b"x", Tagging="a=b")


@case
def what_is_set_where_the_acl_lets_in():
    b = bucket(ObjectLockEnabledForBucket=True)
    alice.put_bucket_acl(Bucket=b, ACL="public-read-write")
    for more, action, fields in SET_BESIDES:
        what = dict(more, Bucket=b, Key="k")
        if action in ("PutObjectAcl", "PutObjectTagging"):
            bob.put_object(**what)
            assert form_of_bob(b, fields) == 204
        else:
            fails("AccessDenied", 403, bob.put_object, **what)
            assert form_of_bob(b, fields) == 403


@case
def presigned_urls():
    b = bucket()
    url = alice.generate_presigned_url("put_object", Params={"Bucket": b, "Key": "k"})
    r = urllib.request.Request(url, method="PUT", data=b"by url")
    assert urllib.request.urlopen(r).status == 200
    url = alice.generate_presigned_url("get_object", Params={"Bucket": b, "Key": "k"})
    assert urllib.request.urlopen(url).read() == b"by url"
    path = url[len(info["endpoint"]):]
    assert raw("GET", path.replace("Signature=", "Signature=0"))[0] in (400, 403)
    assert raw("GET", path.replace("/k?", "/l?"))[0] == 403
    url = alice.generate_presigned_url("get_object", Params={"Bucket": b, "Key": "k"}, ExpiresIn=1)
    time.sleep(2.1)
    assert raw("GET", url[len(info["endpoint"]):])[0] == 403


@case
def headers_that_strangers_ask_for():
    b = bucket()
    alice.put_object(Bucket=b, Key="k", Body=b"<script>", ContentType="text/plain", ACL="public-read")
    for name in ("content-type", "content-encoding", "content-language", "content-disposition", "cache-control", "expires"):
        status, h, text = raw("GET", "/%s/k?response-%s=x" % (b, name))
        assert status == 400 and b"InvalidRequest" in text, (name, status)
        assert raw("HEAD", "/%s/k?response-%s=x" % (b, name))[0] == 400
    alice.put_bucket_website(Bucket=b, WebsiteConfiguration={"IndexDocument": {"Suffix": "k"}})
    site = {"Host": b + ".s3-website.localhost"}
    assert raw("GET", "/k", site)[2] == b"<script>"
    assert raw("GET", "/k?response-content-type=text/html", site)[0] == 400
    assert raw("GET", "/%s/k?x-response-content-type=x" % b)[1]["Content-Type"] == "text/plain"
    url = bob.generate_presigned_url("get_object", Params={"Bucket": b, "Key": "k", "ResponseContentType": "x/y"})
    assert urllib.request.urlopen(url).headers["Content-Type"] == "x/y"


@case
def old_signatures():
    b = bucket()
    a = info["accounts"][0]
    old = boto3.client("s3", endpoint_url=info["endpoint"], region_name="us-east-1", aws_access_key_id=a["access_key"],
                       aws_secret_access_key=a["secret_key"], config=Config(signature_version="s3", retries={"max_attempts": 1}))
    old.put_object(Bucket=b, Key="ä k", Body=b"old", Metadata={"m": "1", "a": "2"}, ContentType="t/t")
    assert body(b, "ä k", old) == b"old"
    url = old.generate_presigned_url("get_object", Params={"Bucket": b, "Key": "ä k", "ResponseContentType": "x/y"})
    assert "Signature=" in url and "X-Amz" not in url
    r = urllib.request.urlopen(url)
    assert r.read() == b"old" and r.headers["Content-Type"] == "x/y"
    path = url[len(info["endpoint"]):]
    assert raw("GET", path.replace("k?", "l?"))[0] == 403 and raw("PUT", path, data=b"x")[0] == 403
    assert raw("GET", path.replace("Expires=", "Expires=1"))[0] == 403
    url = old.generate_presigned_url("get_object", Params={"Bucket": b, "Key": "ä k"}, ExpiresIn=-5)
    assert raw("GET", url[len(info["endpoint"]):])[0] == 403
    bad = boto3.client("s3", endpoint_url=info["endpoint"], region_name="us-east-1", aws_access_key_id=a["access_key"],
                       aws_secret_access_key="wrong", config=Config(signature_version="s3"))
    fails("SignatureDoesNotMatch", 403, bad.list_buckets)
    assert raw("GET", "/", {"Authorization": "AWS HAHAHA"})[0] == 400
    assert old.get_object_acl(Bucket=b, Key="ä k")["Grants"]  # botocore 1.29 signs ?acl twice
    assert old.list_objects_v2(Bucket=b, Prefix="ä")["KeyCount"] == 1


@case
def old_signatures_of_something_else():
    # The signature does not cover these words: with them a URL for one thing must not do another.
    b = bucket(ObjectLockEnabledForBucket=True)
    a = info["accounts"][0]

    def url(method, path):
        end = str(int(time.time()) + 60)
        kind = "x/y" if method == "PUT" else ""
        s = hmac.new(a["secret_key"].encode(), ("%s\n\n%s\n%s\n%s" % (method, kind, end, path)).encode(), hashlib.sha1).digest()
        return "&AWSAccessKeyId=%s&Expires=%s&Signature=%s" % (
            a["access_key"], end, urllib.parse.quote(base64.b64encode(s).decode(), ""))

    def sent(method, path, query, data=None):
        return raw(method, path + "?" + query, {"Content-Type": "x/y"} if data else {}, data)
    key, root = "/%s/k" % b, "/" + b
    assert sent("PUT", key, url("PUT", key), b"x")[0] == 200
    until = (datetime.now(timezone.utc) + timedelta(seconds=600)).strftime("%Y-%m-%dT%H:%M:%SZ")
    retention = b"<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>%s</RetainUntilDate></Retention>" % until.encode()
    for method, path, word, data in (
            ("PUT", key, "retention", retention), ("PUT", key, "legal-hold", b"<LegalHold><Status>ON</Status></LegalHold>"),
            ("GET", key, "retention", None), ("GET", key, "attributes", None), ("GET", root, "policyStatus", None),
            ("PUT", root, "publicAccessBlock", b"<PublicAccessBlockConfiguration/>"), ("DELETE", root, "publicAccessBlock", None),
            ("DELETE", root, "ownershipControls", None), ("DELETE", root, "encryption", None)):
        status, _, text = sent(method, path, word + url(method, path), data)
        assert status == 403 and b"SignatureDoesNotMatch" in text and b"AWS4-HMAC-SHA256" in text, (method, word, text)
    fails("NoSuchObjectLockConfiguration", 404, alice.get_object_retention, Bucket=b, Key="k")
    # As botocore 1.29 does, it can be signed.
    signed = url("PUT", key + "?retention")
    assert sent("PUT", key, "retention" + signed, retention)[0] == 200
    assert sent("PUT", key, "legal-hold" + signed, retention)[0] == 403


@case
def bad_credentials():
    b = bucket()
    make = lambda key, secret: boto3.client("s3", endpoint_url=info["endpoint"], region_name="us-east-1",
                                            aws_access_key_id=key, aws_secret_access_key=secret)
    fails("InvalidAccessKeyId", 403, make("NOBODY", "x").list_buckets)
    fails("SignatureDoesNotMatch", 403, make(info["accounts"][0]["access_key"], "wrong").list_buckets)
    assert raw("GET", "/")[0] == 200 and raw("GET", "/" + b)[0] == 403  # nobody has no buckets
    assert raw("PUT", "/" + b + "/k", data=b"x")[0] == 403
    assert raw("GET", "/" + b, {"Authorization": ""})[0] == 403
    status, _, text = raw("GET", "/", {"Authorization": "AWS4-HMAC-SHA256 nonsense"})
    assert status == 400 and b"AuthorizationHeaderMalformed" in text
    status, h, text = raw("GET", "/" + b)
    assert h["Content-Type"] == "application/xml" and b"<Code>AccessDenied</Code>" in text and b"<RequestId>" in text


@case
def chunked_uploads():
    # What a client without boto3's habits sends: chunks with signatures.
    b = bucket()
    secret, access = info["accounts"][0]["secret_key"], info["accounts"][0]["access_key"]
    when = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    scope = when[:8] + "/us-east-1/s3/aws4_request"
    key = ("AWS4" + secret).encode()
    for part in (when[:8], "us-east-1", "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    sign = lambda text: hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    data, host = b"z" * 70000, info["endpoint"][7:]
    headers = {"host": host, "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "x-amz-date": when,
               "x-amz-decoded-content-length": str(len(data)), "content-encoding": "aws-chunked"}
    names = ";".join(sorted(headers))
    canonical = "PUT\n/%s/k\n\n%s\n%s\n%s" % (b, "".join("%s:%s\n" % (n, headers[n]) for n in sorted(headers)), names,
                                           headers["x-amz-content-sha256"])
    previous = sign("AWS4-HMAC-SHA256\n%s\n%s\n%s" % (when, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    headers["Authorization"] = "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s" % (access, scope, names, previous)
    empty = hashlib.sha256(b"").hexdigest()

    def chunks(bad):
        last, out = previous, b""
        for at in list(range(0, len(data), 65536)) + [len(data)]:
            piece = data[at:at + 65536]
            last = sign("AWS4-HMAC-SHA256-PAYLOAD\n%s\n%s\n%s\n%s\n%s" % (when, scope, last, empty, hashlib.sha256(piece).hexdigest()))
            out += b"%x;chunk-signature=%s\r\n" % (len(piece), last.encode()) + (piece.replace(b"z", b"y") if bad else piece) + b"\r\n"
        return out
    assert raw("PUT", "/%s/k" % b, headers, chunks(True))[0] == 403
    fails("404", 404, alice.head_object, Bucket=b, Key="k")
    assert raw("PUT", "/%s/k" % b, headers, chunks(False)[:-20])[0] == 400
    assert raw("PUT", "/%s/k" % b, headers, chunks(False))[0] == 200
    r = alice.get_object(Bucket=b, Key="k")
    assert r["Body"].read() == data and "ContentEncoding" not in r


@case
def browser_forms():
    b = bucket()
    secret, access = info["accounts"][0]["secret_key"], info["accounts"][0]["access_key"]

    def policy(conditions, seconds=600):
        until = (datetime.now(timezone.utc) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
        p = base64.b64encode(json.dumps({"expiration": until, "conditions": conditions}).encode()).decode()
        return [("AWSAccessKeyId", access), ("policy", p),
                ("signature", base64.b64encode(hmac.new(secret.encode(), p.encode(), hashlib.sha1).digest()).decode())]
    good = [{"bucket": b}, ["starts-with", "$key", "k"], {"acl": "private"}, ["starts-with", "$Content-Type", "text/"],
            ["content-length-range", 1, 1000000]]
    fields = [("key", "k/${filename}"), ("acl", "private"), ("Content-Type", "text/x")]
    status, h, _ = post_form(b, fields + policy(good))
    assert status == 204, status
    r = alice.get_object(Bucket=b, Key="k/up.txt")
    assert r["Body"].read() == b"posted" and r["ContentType"] == "text/x"
    big = b"0123456789\r\n--" * 50000
    assert post_form(b, fields + policy(good), big)[0] == 204 and body(b, "k/up.txt") == big
    status, _, text = post_form(b, fields + policy(good + [{"success_action_status": "201"}]) + [("success_action_status", "201")])
    assert status == 201 and b"<Key>k/up.txt</Key>" in text
    assert b"<Location>%s/%s/k/up.txt</Location>" % (info["endpoint"].encode(), b.encode()) in text, text
    assert post_form(b, [("key", "other")] + fields[1:] + policy(good))[0] == 403
    assert post_form(b, fields + [("x-amz-meta-a", "b")] + policy(good))[0] == 403
    assert post_form(b, fields + policy(good, -10))[0] == 403
    # What the policy judges is all that there is of a name.
    role = policy(good + [{"x-amz-meta-role": "user"}])
    assert post_form(b, fields + [("x-amz-meta-role", "user")] + role)[0] == 204
    for again in ("x-amz-meta-role", "X-Amz-Meta-Role"):
        status, _, text = post_form(b, fields + [("x-amz-meta-role", "user"), (again, "admin")] + role)
        assert status == 400 and b"at most one" in text, (status, text)
    assert alice.head_object(Bucket=b, Key="k/up.txt")["Metadata"] == {"role": "user"}
    assert post_form(b, fields + [("x-ignore-a", "1"), ("x-ignore-a", "2")] + policy(good))[0] == 204
    assert post_form(b, fields + policy(good), b"")[0] == 400
    assert post_form(b, fields + policy(good[:-1] + [["content-length-range", 1, 3]]))[0] == 400
    wrong = policy(good)
    assert post_form(b, fields + wrong[:2] + [("signature", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=")])[0] == 403
    assert post_form(b, fields)[0] == 403
    host = b + ".localhost"
    _, _, text = post_form("", fields + policy(good + [{"success_action_status": "201"}]) + [("success_action_status", "201")], host=host)
    assert b"<Location>http://%s/k/up.txt</Location>" % host.encode() in text, text
    assert post_form(b, fields + policy(good[1:]))[0] == 403
    sha = lambda d: [("x-amz-checksum-sha256", base64.b64encode(hashlib.sha256(d).digest()).decode())]
    summed = policy(good + [["starts-with", "$x-amz-checksum-sha256", ""]])
    assert post_form(b, fields + sha(b"posted") + summed)[0] == 204
    assert post_form(b, fields + sha(b"other") + summed)[0] == 400
    alice.put_bucket_acl(Bucket=b, ACL="public-read-write")
    status, _, text = post_form(b, fields)
    assert status == 204, text
    f = boto3.client("s3", endpoint_url=info["endpoint"], region_name="us-east-1", aws_access_key_id=access,
                     aws_secret_access_key=secret, config=Config(signature_version="s3v4"))
    p = f.generate_presigned_post(Bucket=b, Key="v4")
    assert post_form(b, list(p["fields"].items()))[0] == 204 and body(b, "v4") == b"posted"


@case
def grants_as_told_again():
    b = bucket()
    r = alice.get_bucket_acl(Bucket=b)
    everybody = {"Grantee": {"Type": "Group", "URI": "http://acs.amazonaws.com/groups/global/AllUsers"}, "Permission": "READ"}
    put = lambda *more: alice.put_bucket_acl(
        Bucket=b, AccessControlPolicy={"Owner": r["Owner"], "Grants": r["Grants"] + list(more)})
    put(everybody)
    assert [g["Grantee"]["Type"] for g in alice.get_bucket_acl(Bucket=b)["Grants"]] == ["Group", "CanonicalUser"]
    by_address = lambda a: {"Grantee": {"Type": "AmazonCustomerByEmail", "EmailAddress": a}, "Permission": "READ_ACP"}
    for address in (info["accounts"][1]["name"], info["accounts"][1]["name"] + "@example.org"):
        put(by_address(address))
        assert [g["Grantee"]["ID"] for g in alice.get_bucket_acl(Bucket=b)["Grants"]] == [ALICE, BOB]
    for address in ("nobody@example.org", "@example.org"):
        fails("UnresolvableGrantByEmailAddress", 400, put, by_address(address))


@case
def owners_of_what_others_write():
    for kind, theirs in (("BucketOwnerEnforced", False), ("BucketOwnerPreferred", True), ("ObjectWriter", True)):
        b = bucket(ObjectOwnership=kind)
        alice.put_bucket_policy(Bucket=b, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": ["arn:aws:s3:::" + b, "arn:aws:s3:::%s/*" % b]}]}))
        bob.put_object(Bucket=b, Key="k", Body=b"x")
        assert bob.get_object_acl(Bucket=b, Key="k")["Owner"]["ID"] == (BOB if theirs else ALICE)
        bob.put_object(Bucket=b, Key="k", Body=b"x", ACL="bucket-owner-full-control")
        given = kind == "ObjectWriter"
        assert bob.get_object_acl(Bucket=b, Key="k")["Owner"]["ID"] == (BOB if given else ALICE)
        if theirs:
            bob.put_object(Bucket=b, Key="k", Body=b"x", ACL="private")
            continue
        for f in (bob.put_object, bob.create_multipart_upload, bob.put_object_acl):
            fails("AccessControlListNotSupported", 400, f, Bucket=b, Key="k", ACL="private")


@case
def forms_with_names_for_every_field():
    # Some clients give each field a file name; a checksum is no part of what a policy decides on.
    b = bucket()
    secret, access = info["accounts"][0]["secret_key"], info["accounts"][0]["access_key"]
    until = (datetime.now(timezone.utc) + timedelta(seconds=600)).strftime("%Y-%m-%dT%H:%M:%SZ")
    p = base64.b64encode(json.dumps({"expiration": until, "conditions": [
        {"bUcKeT": b}, ["StArTs-WiTh", "$KeY", "k"]]}).encode()).decode()
    s = base64.b64encode(hmac.new(secret.encode(), p.encode(), hashlib.sha1).digest()).decode()

    def post(value):
        text = "".join('--edge\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\n\r\n%s\r\n' % (k, k, v)
                       for k, v in (("kEy", "k"), ("AWSAccessKeyId", access), ("signature", s), ("pOLICy", p),
                                    ("x-amz-checksum-sha256", value), ("file", "posted"))) + "--edge--\r\n"
        return raw("POST", "/" + b, {"Content-Type": "multipart/form-data; boundary=edge"}, text.encode())
    status, _, text = post(base64.b64encode(hashlib.sha256(b"posted").digest()).decode())
    assert status == 204 and body(b, "k") == b"posted", text
    assert post("nonsense")[0] == 400


@case
def public_access_blocks_of_new_buckets():
    b = bucket()
    is_set = lambda: alice.get_public_access_block(Bucket=b)["PublicAccessBlockConfiguration"]
    names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    assert is_set() == dict.fromkeys(names, False)
    alice.put_public_access_block(Bucket=b, PublicAccessBlockConfiguration={"IgnorePublicAcls": True})
    assert is_set() == dict(dict.fromkeys(names, False), IgnorePublicAcls=True)
    alice.delete_public_access_block(Bucket=b)
    fails("NoSuchPublicAccessBlockConfiguration", 404, is_set)


run()
