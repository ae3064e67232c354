# Cases of the S3 interface for boto3: buckets, objects, uploads, settings (test/e2e/s3).
import base64
import hashlib
import http.client
import time
import zlib
from datetime import datetime, timedelta, timezone

from s3_harness import *


@case
def buckets():
    b = bucket()
    assert b in [x["Name"] for x in alice.list_buckets()["Buckets"]]
    assert b not in [x["Name"] for x in bob.list_buckets()["Buckets"]]
    assert alice.list_buckets()["Owner"]["ID"] == ALICE
    alice.put_object(Bucket=b, Key="still there")
    alice.create_bucket(Bucket=b)
    alice.delete_object(Bucket=b, Key="still there")
    fails("BucketAlreadyExists", 409, bob.create_bucket, Bucket=b)
    fails("InvalidBucketName", 400, alice.create_bucket, Bucket="Upper_Case")
    fails("BucketAlreadyExists", 409, alice.create_bucket, Bucket=b, ACL="public-read")
    assert alice.get_bucket_location(Bucket=b).get("LocationConstraint") is None
    for name, place in ((b + "-own", info["region"]), (b + "-place", "eu")):
        alice.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": place})
        h = alice.head_bucket(Bucket=name)["ResponseMetadata"]["HTTPHeaders"]
        assert h["x-amz-bucket-region"] == place
        assert alice.get_bucket_location(Bucket=name)["LocationConstraint"] == (None if place == "us-east-1" else place)
    fails("InvalidLocationConstraint", 400, alice.create_bucket, Bucket=b + "-nowhere",
          CreateBucketConfiguration={"LocationConstraint": "no such place"})
    c = client(0)
    c.meta.events.register("before-call.s3.ListBuckets", lambda params, **_: params.update(
        url=params["url"] + "?bucket-region=" + info["region"]))
    found = [x["Name"] for x in c.list_buckets()["Buckets"]]
    assert b in found and b + "-own" in found and b + "-place" not in found
    alice.head_bucket(Bucket=b)
    fails("404", 404, alice.head_bucket, Bucket="no-such-bucket-here")
    fails("403", 403, bob.head_bucket, Bucket=b)
    fails("NoSuchBucket", 404, alice.list_objects_v2, Bucket="no-such-bucket-here")
    alice.put_object(Bucket=b, Key="k", Body=b"x")
    fails("BucketNotEmpty", 409, alice.delete_bucket, Bucket=b)
    alice.delete_object(Bucket=b, Key="k")
    alice.delete_bucket(Bucket=b)
    fails("NoSuchBucket", 404, alice.delete_bucket, Bucket=b)


@case
def objects_of_every_size():
    b = bucket()
    for n in (0, 1, 4096, 4097, 300000, 5 * 1024 * 1024 + 1):
        data = bytes(i % 251 for i in range(min(n, 100000))) * (n // 100000 + 1)
        data = data[:n]
        r = alice.put_object(Bucket=b, Key="k", Body=data)
        assert r["ETag"] == '"%s"' % hashlib.md5(data).hexdigest()
        assert body(b, "k") == data
        assert alice.head_object(Bucket=b, Key="k")["ContentLength"] == n


@case
def headers_and_metadata():
    b = bucket()
    alice.put_object(Bucket=b, Key="k", Body=b"x", ContentType="text/x", ContentEncoding="br, aws-chunked, gzip",
                     ContentLanguage="de", ContentDisposition="attachment", CacheControl="no-cache",
                     Expires=datetime(2030, 1, 1), Metadata={"Mixed-Case": "value", "b": ""},
                     StorageClass="STANDARD", WebsiteRedirectLocation="/other")
    r = alice.head_object(Bucket=b, Key="k")
    assert (r["ContentType"], r["ContentEncoding"], r["ContentLanguage"]) == ("text/x", "br, gzip", "de")
    assert (r["ContentDisposition"], r["CacheControl"]) == ("attachment", "no-cache")
    assert r["Metadata"] == {"mixed-case": "value", "b": ""} and r["WebsiteRedirectLocation"] == "/other"
    r = alice.get_object(Bucket=b, Key="k", ResponseContentType="a/b", ResponseCacheControl="c")
    assert (r["ContentType"], r["CacheControl"]) == ("a/b", "c")
    fails("MetadataTooLarge", 400, alice.put_object, Bucket=b, Key="l", Metadata={"a": "x" * 3000})
    fails("InvalidStorageClass", 400, alice.put_object, Bucket=b, Key="l", StorageClass="WRONG")
    for value in ("\x04a", "a\x04", "a\x7fb"):
        fails("InvalidRequest", 400, alice.put_object, Bucket=b, Key="l", Metadata={"a": value})


@case
def metadata_in_many_pieces():
    b = bucket()
    many = {"m%d" % i: "" for i in range(230)}
    http.client._MAXHEADERS = 1000  # Python's own limit of what it reads is 100
    alice.put_object(Bucket=b, Key="k", Body=b"x", Metadata=many)
    assert alice.head_object(Bucket=b, Key="k")["Metadata"] == many
    assert body(b, "k") == b"x"
    alice.copy_object(Bucket=b, Key="copy", CopySource={"Bucket": b, "Key": "k"})
    assert alice.get_object(Bucket=b, Key="copy")["Metadata"] == many
    fails("InvalidRequest", 400, alice.put_object, Bucket=b, Key="l", Metadata={"m%d" % i: "" for i in range(260)})
    fails("404", 404, alice.head_object, Bucket=b, Key="l")
    # A form's field can have a name that no header has.
    alice.put_bucket_acl(Bucket=b, ACL="public-read-write")
    for name in ("x-amz-meta-a\tb", "x-amz-meta-a b", "x-amz-meta-a:b", "x-amz-meta-\u00e4"):
        status, _, text = post_form(b, [("key", "form"), (name, "v")])
        assert status == 400 and b"InvalidArgument" in text, (name, status, text)
    assert post_form(b, [("key", "form"), ("x-amz-meta-a", "v")])[0] == 204
    assert alice.head_object(Bucket=b, Key="form")["Metadata"] == {"a": "v"}


@case
def redirect_locations():
    b = bucket()
    for to in ("/x", "http://x", "https://x"):
        alice.put_object(Bucket=b, Key="k", Body=b"", WebsiteRedirectLocation=to)
        assert alice.head_object(Bucket=b, Key="k")["WebsiteRedirectLocation"] == to
    for to in ("ftp://x", "x", "/" + 2048 * "x"):
        fails("InvalidRedirectLocation", 400,
              alice.put_object, Bucket=b, Key="k", Body=b"", WebsiteRedirectLocation=to)


@case
def odd_keys():
    b = bucket()
    keys = ["a", "a b", "a+b", "ä/ö", "..", "../x", "a//b", "/lead", "%41", "a&b=c?d", "\u4e2d\u6587", "~", "'\"<>", "\x7f"]
    for k in keys:
        alice.put_object(Bucket=b, Key=k, Body=k.encode())
    for k in keys:
        assert body(b, k) == k.encode()
    assert sorted(keys, key=lambda k: k.encode()) == [x["Key"] for x in alice.list_objects_v2(Bucket=b)["Contents"]]
    fails("KeyTooLongError", 400, alice.put_object, Bucket=b, Key="k" * 1025)
    alice.put_object(Bucket=b, Key="k" * 1024)


@case
def ranges_and_conditions():
    b = bucket()
    alice.put_object(Bucket=b, Key="k", Body=b"0123456789")
    for r, want in (("bytes=0-0", b"0"), ("bytes=4-7", b"4567"), ("bytes=4-", b"456789"), ("bytes=-3", b"789"),
                    ("bytes=-100", b"0123456789"), ("bytes=8-100", b"89")):
        a = alice.get_object(Bucket=b, Key="k", Range=r)
        assert a["Body"].read() == want and a["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert alice.get_object(Bucket=b, Key="k", Range="bytes=4-7")["ContentRange"] == "bytes 4-7/10"
    fails("InvalidRange", 416, alice.get_object, Bucket=b, Key="k", Range="bytes=10-")
    etag = alice.head_object(Bucket=b, Key="k")["ETag"]
    old, new = datetime(2000, 1, 1), datetime(2100, 1, 1)
    assert body(b, "k", IfMatch=etag) and body(b, "k", IfNoneMatch='"x"') and body(b, "k", IfModifiedSince=old)
    fails("PreconditionFailed", 412, alice.get_object, Bucket=b, Key="k", IfMatch='"x"')
    fails("304", 304, alice.get_object, Bucket=b, Key="k", IfNoneMatch=etag)
    fails("304", 304, alice.get_object, Bucket=b, Key="k", IfModifiedSince=datetime.now(timezone.utc))
    fails("PreconditionFailed", 412, alice.get_object, Bucket=b, Key="k", IfUnmodifiedSince=old)
    assert body(b, "k", IfUnmodifiedSince=new)


@case
def ranges_of_what_it_was():
    b = bucket()
    alice.put_object(Bucket=b, Key="k", Body=b"0123456789")
    r = alice.head_object(Bucket=b, Key="k")
    etag, date = r["ETag"], r["ResponseMetadata"]["HTTPHeaders"]["last-modified"]
    for said, whole in ((etag, False), (etag.strip('"'), False), (date, False), ('"other"', True), ("W/" + etag, True),
                        ("Wed, 01 Jan 2020 00:00:00 GMT", True), ("Fri, 01 Jan 2100 00:00:00 GMT", True), ("nonsense", True)):
        c = client(0)
        for operation in ("GetObject", "HeadObject"):
            with_header(c, operation, "If-Range", said)
        for f in (c.get_object, c.head_object):
            r = f(Bucket=b, Key="k", Range="bytes=4-7")
            assert (r["ResponseMetadata"]["HTTPStatusCode"], r["ContentLength"]) == ((200, 10) if whole else (206, 4)), said
            assert ("ContentRange" in r) != whole, said
        assert body(b, "k", c) == b"0123456789"
        if whole:  # nor is a range refused that nobody is held to
            assert body(b, "k", c, Range="bytes=10-") == b"0123456789"
        else:
            fails("InvalidRange", 416, c.get_object, Bucket=b, Key="k", Range="bytes=10-")


@case
def conditional_writes():
    b = bucket()
    c = client(0)
    with_header(c, "PutObject", "If-None-Match", "*")
    c.put_object(Bucket=b, Key="k", Body=b"1")
    fails("PreconditionFailed", 412, c.put_object, Bucket=b, Key="k", Body=b"2")
    assert body(b, "k") == b"1"
    c = client(0)
    with_header(c, "PutObject", "If-Match", alice.head_object(Bucket=b, Key="k")["ETag"])
    c.put_object(Bucket=b, Key="k", Body=b"3")
    fails("PreconditionFailed", 412, c.put_object, Bucket=b, Key="k", Body=b"4")
    fails("NoSuchKey", 404, c.put_object, Bucket=b, Key="other", Body=b"4")
    c = client(0)
    with_header(c, "PutObject", "If-Match", "*")
    c.put_object(Bucket=b, Key="k", Body=b"5")
    fails("PreconditionFailed", 412, c.put_object, Bucket=b, Key="other", Body=b"4")


@case
def conditional_deletes():
    b = bucket()
    bad, star, size = client(0), client(0), client(0)
    with_header(bad, "DeleteObject", "If-Match", '"other"')
    with_header(star, "DeleteObject", "If-Match", "*")
    with_header(size, "DeleteObject", "x-amz-if-match-size", "9")
    alice.put_object(Bucket=b, Key="k", Body=b"1")
    for c in (bad, size):
        fails("PreconditionFailed", 412, c.delete_object, Bucket=b, Key="k")
    for c in (star, star, bad, size):  # once it is gone, nothing is left to compare
        c.delete_object(Bucket=b, Key="k")
    alice.put_bucket_versioning(Bucket=b, VersioningConfiguration={"Status": "Enabled"})
    alice.put_object(Bucket=b, Key="k", Body=b"1")
    assert star.delete_object(Bucket=b, Key="k")["DeleteMarker"]
    for c in (bad, size):  # a marker is there, and neither
        fails("PreconditionFailed", 412, c.delete_object, Bucket=b, Key="k")


@case
def listing():
    b = bucket()
    for k in ("a", "b/1", "b/2", "c/d/1", "e", "z"):
        alice.put_object(Bucket=b, Key=k)
    r = alice.list_objects_v2(Bucket=b, Delimiter="/")
    assert [x["Key"] for x in r["Contents"]] == ["a", "e", "z"] and r["KeyCount"] == 5
    assert [x["Prefix"] for x in r["CommonPrefixes"]] == ["b/", "c/"]
    r = alice.list_objects(Bucket=b, MaxKeys=2, Delimiter="/")
    assert r["IsTruncated"] and r["NextMarker"] == "b/" and r["MaxKeys"] == 2
    r = alice.list_objects(Bucket=b, Marker=r["NextMarker"], Delimiter="/")
    assert [x["Key"] for x in r["Contents"]] == ["e", "z"] and not r["IsTruncated"]
    found = []
    for page in alice.get_paginator("list_objects_v2").paginate(Bucket=b, PaginationConfig={"PageSize": 2}):
        found += [x["Key"] for x in page.get("Contents", [])]
    assert found == ["a", "b/1", "b/2", "c/d/1", "e", "z"]
    assert [x["Key"] for x in alice.list_objects_v2(Bucket=b, StartAfter="c")["Contents"]] == ["c/d/1", "e", "z"]
    assert alice.list_objects_v2(Bucket=b, MaxKeys=0)["KeyCount"] == 0
    fails("InvalidArgument", 400, alice.list_objects_v2, Bucket=b, ContinuationToken="?")
    assert alice.list_objects_v2(Bucket=b, ContinuationToken="")["KeyCount"] == 6
    for prefix in ("b/", "\n", "a b"):  # boto3 has it encoded, and does not decode it
        assert alice.list_objects(Bucket=b, Prefix=prefix)["Prefix"] == prefix
    status, _, text = raw("GET", "/%s?max-keys=x" % b)
    assert status == 403


@case
def multipart():
    b = bucket()
    part = b"p" * (5 * 1024 * 1024)
    u = alice.create_multipart_upload(Bucket=b, Key="k", Metadata={"m": "1"}, ContentType="t/t")["UploadId"]
    e1 = alice.upload_part(Bucket=b, Key="k", UploadId=u, PartNumber=1, Body=part)["ETag"]
    e3 = alice.upload_part(Bucket=b, Key="k", UploadId=u, PartNumber=3, Body=b"end")["ETag"]
    assert [p["PartNumber"] for p in alice.list_parts(Bucket=b, Key="k", UploadId=u)["Parts"]] == [1, 3]
    assert [x["Key"] for x in alice.list_multipart_uploads(Bucket=b)["Uploads"]] == ["k"]
    parts = lambda *l: {"Parts": [{"PartNumber": n, "ETag": e} for n, e in l]}
    done = lambda p: alice.complete_multipart_upload(Bucket=b, Key="k", UploadId=u, MultipartUpload=p)
    fails("InvalidPart", 400, done, parts((1, e1), (2, e3)))
    fails("InvalidPartOrder", 400, done, parts((3, e3), (1, e1)))
    fails("InvalidPart", 400, done, parts((1, e3), (3, e3)))
    fails("NoSuchUpload", 404, alice.list_parts, Bucket=b, Key="k", UploadId="0" * 32)
    r = done(parts((1, e1), (3, e3)))
    assert r["Location"] == "%s/%s/k" % (info["endpoint"], b)
    md5s = bytes.fromhex(e1.strip('"')) + bytes.fromhex(e3.strip('"'))
    assert r["ETag"] == '"%s-2"' % hashlib.md5(md5s).hexdigest()
    r = alice.get_object(Bucket=b, Key="k")
    assert r["Body"].read() == part + b"end" and r["Metadata"] == {"m": "1"} and r["ContentType"] == "t/t"
    r = alice.get_object(Bucket=b, Key="k", PartNumber=3)
    assert r["PartsCount"] == 2 and r["Body"].read() == b"end"
    fails("InvalidPart", 400, alice.get_object, Bucket=b, Key="k", PartNumber=2)
    assert done(parts((1, e1), (3, e3)))["ETag"] == '"%s-2"' % hashlib.md5(md5s).hexdigest()
    u = alice.create_multipart_upload(Bucket=b, Key="s")["UploadId"]
    e = [alice.upload_part(Bucket=b, Key="s", UploadId=u, PartNumber=n, Body=b"small")["ETag"] for n in (1, 2)]
    fails("EntityTooSmall", 400, alice.complete_multipart_upload, Bucket=b, Key="s", UploadId=u,
          MultipartUpload=parts((1, e[0]), (2, e[1])))
    fails("MalformedXML", 400, alice.complete_multipart_upload, Bucket=b, Key="s", UploadId=u, MultipartUpload={"Parts": []})
    alice.abort_multipart_upload(Bucket=b, Key="s", UploadId=u)
    fails("NoSuchUpload", 404, alice.abort_multipart_upload, Bucket=b, Key="s", UploadId=u)
    u = alice.create_multipart_upload(Bucket=b, Key="c")["UploadId"]
    e = alice.upload_part_copy(Bucket=b, Key="c", UploadId=u, PartNumber=1, CopySource={"Bucket": b, "Key": "k"},
                               CopySourceRange="bytes=0-9")["CopyPartResult"]["ETag"]
    alice.complete_multipart_upload(Bucket=b, Key="c", UploadId=u, MultipartUpload=parts((1, e)))
    assert body(b, "c") == b"p" * 10


@case
def parts_of_nothing():
    b = bucket()
    for key, parts in (("one", [b""]), ("last", [b"x" * 5242880, b""])):
        u = alice.create_multipart_upload(Bucket=b, Key=key, ChecksumAlgorithm="SHA256")["UploadId"]
        put = [alice.upload_part(Bucket=b, Key=key, UploadId=u, PartNumber=i + 1, Body=p, ChecksumAlgorithm="SHA256")
               for i, p in enumerate(parts)]
        alice.complete_multipart_upload(Bucket=b, Key=key, UploadId=u, MultipartUpload={"Parts": [
            {"PartNumber": i + 1, "ETag": p["ETag"], "ChecksumSHA256": p["ChecksumSHA256"]} for i, p in enumerate(put)]})
        for f in (alice.head_object, alice.get_object):
            r = f(Bucket=b, Key=key, PartNumber=len(parts), ChecksumMode="ENABLED")
            assert r["ResponseMetadata"]["HTTPStatusCode"] == 200 and "ContentRange" not in r, r
            assert (r["ContentLength"], r["PartsCount"]) == (0, len(parts))
            assert r["ChecksumSHA256"] == put[-1]["ChecksumSHA256"]
    assert alice.head_object(Bucket=b, Key="last", PartNumber=1)["ContentRange"] == "bytes 0-5242879/5242880"
    alice.put_object(Bucket=b, Key="plain", Body=b"")
    r = alice.get_object(Bucket=b, Key="plain", PartNumber=1)
    assert r["ResponseMetadata"]["HTTPStatusCode"] == 200 and "ContentRange" not in r


@case
def copies():
    a, b = bucket(), bucket()
    alice.put_object(Bucket=a, Key="ä k", Body=b"data", Metadata={"m": "1"}, ContentType="t/t", Tagging="t=1")
    src = {"Bucket": a, "Key": "ä k"}
    r = alice.copy_object(Bucket=b, Key="c", CopySource=src)
    assert r["CopyObjectResult"]["ETag"] == '"%s"' % hashlib.md5(b"data").hexdigest()
    r = alice.get_object(Bucket=b, Key="c")
    assert r["Body"].read() == b"data" and r["Metadata"] == {"m": "1"} and r["ContentType"] == "t/t" and r["TagCount"] == 1
    alice.copy_object(Bucket=a, Key="c", CopySource=src, MetadataDirective="REPLACE", Metadata={"n": "2"},
                      TaggingDirective="REPLACE", Tagging="x=y&z=1")
    r = alice.get_object(Bucket=a, Key="c")
    assert r["Body"].read() == b"data" and r["Metadata"] == {"n": "2"} and r["TagCount"] == 2
    fails("InvalidRequest", 400, alice.copy_object, Bucket=a, Key="ä k", CopySource=src)
    alice.copy_object(Bucket=a, Key="ä k", CopySource=src, MetadataDirective="REPLACE", Metadata={"o": "3"})
    assert alice.head_object(Bucket=a, Key="ä k")["Metadata"] == {"o": "3"}
    fails("NoSuchKey", 404, alice.copy_object, Bucket=a, Key="x", CopySource={"Bucket": a, "Key": "none"})
    fails("NoSuchBucket", 404, alice.copy_object, Bucket=a, Key="x", CopySource={"Bucket": "none-such", "Key": "k"})
    fails("PreconditionFailed", 412, alice.copy_object, Bucket=a, Key="x", CopySource=src, CopySourceIfMatch='"x"')
    fails("AccessDenied", 403, bob.copy_object, Bucket=b, Key="x", CopySource=src)


@case
def versions():
    b = bucket()
    assert "Status" not in alice.get_bucket_versioning(Bucket=b)
    alice.put_object(Bucket=b, Key="k", Body=b"null")
    alice.put_bucket_versioning(Bucket=b, VersioningConfiguration={"Status": "Enabled"})
    v1 = alice.put_object(Bucket=b, Key="k", Body=b"1")["VersionId"]
    v2 = alice.put_object(Bucket=b, Key="k", Body=b"2")["VersionId"]
    r = alice.list_object_versions(Bucket=b)
    assert [x["VersionId"] for x in r["Versions"]] == [v2, v1, "null"] and r["Versions"][0]["IsLatest"]
    m = alice.delete_object(Bucket=b, Key="k")
    assert m["DeleteMarker"] and m["VersionId"]
    e = fails("NoSuchKey", 404, alice.get_object, Bucket=b, Key="k")
    assert e["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"] == "true"
    fails("MethodNotAllowed", 405, alice.get_object, Bucket=b, Key="k", VersionId=m["VersionId"])
    assert body(b, "k", VersionId=v1) == b"1" and body(b, "k", VersionId="null") == b"null"
    assert alice.delete_object(Bucket=b, Key="k", VersionId=m["VersionId"])["DeleteMarker"]
    assert body(b, "k") == b"2"
    alice.delete_object(Bucket=b, Key="k", VersionId=v2)
    assert body(b, "k") == b"1"
    alice.put_bucket_versioning(Bucket=b, VersioningConfiguration={"Status": "Suspended"})
    r = alice.put_object(Bucket=b, Key="k", Body=b"3")
    assert "VersionId" not in r  # the null version is not named to its writer, but to all others
    r = alice.get_object(Bucket=b, Key="k", VersionId="null")
    assert r["Body"].read() == b"3" and r["VersionId"] == "null"
    assert alice.put_object_tagging(Bucket=b, Key="k", Tagging={"TagSet": []})["VersionId"] == "null"
    assert "VersionId" not in alice.copy_object(Bucket=b, Key="copy", CopySource={"Bucket": b, "Key": "k"})
    u = alice.create_multipart_upload(Bucket=b, Key="parts")["UploadId"]
    e = alice.upload_part(Bucket=b, Key="parts", UploadId=u, PartNumber=1, Body=b"1")["ETag"]
    r = alice.complete_multipart_upload(Bucket=b, Key="parts", UploadId=u,
                                        MultipartUpload={"Parts": [{"ETag": e, "PartNumber": 1}]})
    assert "VersionId" not in r
    r = alice.delete_object(Bucket=b, Key="k", VersionId="null")
    assert r["VersionId"] == "null" and "DeleteMarker" not in r
    r = alice.delete_object(Bucket=b, Key="copy")
    assert r["VersionId"] == "null" and r["DeleteMarker"]
    fails("NoSuchVersion", 404, alice.get_object, Bucket=b, Key="k", VersionId=v2)
    fails("InvalidArgument", 400, alice.get_object, Bucket=b, Key="k", VersionId="bad")


@case
def many_deletes():
    b = bucket()
    for i in range(30):
        alice.put_object(Bucket=b, Key="k%d" % i)
    r = alice.delete_objects(Bucket=b, Delete={"Objects": [{"Key": "k%d" % i} for i in range(30)] + [{"Key": "none"}]})
    assert len(r["Deleted"]) == 31 and "Errors" not in r
    assert "Contents" not in alice.list_objects_v2(Bucket=b)
    r = alice.delete_objects(Bucket=b, Delete={"Quiet": True, "Objects": [{"Key": "x"}]})
    assert "Deleted" not in r
    r = bob.delete_objects(Bucket=b, Delete={"Objects": [{"Key": "x"}]})
    assert r["Errors"][0]["Code"] == "AccessDenied"


@case
def tags():
    b = bucket()
    alice.put_object(Bucket=b, Key="k", Tagging="b=%C3%A4+x&a=1")
    assert alice.get_object_tagging(Bucket=b, Key="k")["TagSet"] == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "ä x"}]
    fails("InvalidTag", 400, alice.put_object_tagging, Bucket=b, Key="k",
          Tagging={"TagSet": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]})
    fails("InvalidTag", 400, alice.put_object_tagging, Bucket=b, Key="k", Tagging={"TagSet": [{"Key": "k" * 129, "Value": ""}]})
    alice.delete_object_tagging(Bucket=b, Key="k")
    assert alice.get_object_tagging(Bucket=b, Key="k")["TagSet"] == []
    fails("NoSuchTagSet", 404, alice.get_bucket_tagging, Bucket=b)
    alice.put_bucket_tagging(Bucket=b, Tagging={"TagSet": [{"Key": "x", "Value": "y"}]})
    assert alice.get_bucket_tagging(Bucket=b)["TagSet"] == [{"Key": "x", "Value": "y"}]
    alice.delete_bucket_tagging(Bucket=b)
    fails("NoSuchTagSet", 404, alice.get_bucket_tagging, Bucket=b)


@case
def locks():
    b = bucket(ObjectLockEnabledForBucket=True)
    r = alice.get_object_lock_configuration(Bucket=b)["ObjectLockConfiguration"]
    assert r == {"ObjectLockEnabled": "Enabled"}
    until = datetime.now(timezone.utc) + timedelta(days=1)
    v = alice.put_object(Bucket=b, Key="k", Body=b"x", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until)["VersionId"]
    fails("AccessDenied", 403, alice.delete_object, Bucket=b, Key="k", VersionId=v)
    assert alice.get_object_retention(Bucket=b, Key="k")["Retention"]["Mode"] == "GOVERNANCE"
    alice.delete_object(Bucket=b, Key="k", VersionId=v, BypassGovernanceRetention=True)
    v = alice.put_object(Bucket=b, Key="k", Body=b"x")["VersionId"]
    fails("NoSuchObjectLockConfiguration", 404, alice.get_object_retention, Bucket=b, Key="k")
    alice.put_object_legal_hold(Bucket=b, Key="k", LegalHold={"Status": "ON"})
    assert alice.get_object_legal_hold(Bucket=b, Key="k")["LegalHold"]["Status"] == "ON"
    fails("AccessDenied", 403, alice.delete_object, Bucket=b, Key="k", VersionId=v)
    alice.put_object_legal_hold(Bucket=b, Key="k", LegalHold={"Status": "OFF"})
    alice.delete_object(Bucket=b, Key="k", VersionId=v)
    alice.put_object_lock_configuration(Bucket=b, ObjectLockConfiguration={
        "ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}}})
    alice.put_object(Bucket=b, Key="d", Body=b"x")
    assert alice.head_object(Bucket=b, Key="d")["ObjectLockMode"] == "COMPLIANCE"
    fails("InvalidBucketState", 409, alice.put_bucket_versioning, Bucket=b, VersioningConfiguration={"Status": "Suspended"})
    other = bucket()
    fails("ObjectLockConfigurationNotFoundError", 404, alice.get_object_lock_configuration, Bucket=other)
    fails("InvalidRequest", 400, alice.put_object, Bucket=other, Key="k", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until)


@case
def documents():
    b = bucket()
    fails("NoSuchCORSConfiguration", 404, alice.get_bucket_cors, Bucket=b)
    alice.put_bucket_cors(Bucket=b, CORSConfiguration={"CORSRules": [{
        "AllowedMethods": ["GET", "PUT"], "AllowedOrigins": ["https://*.example.org"], "AllowedHeaders": ["x-*"],
        "ExposeHeaders": ["x-e"], "MaxAgeSeconds": 60}]})
    status, h, _ = raw("PUT", "/%s/k" % b, {"Origin": "https://a.example.org"}, b"x")  # refused, which a script may know
    assert status == 403 and h["Access-Control-Allow-Origin"] == "https://a.example.org"
    ask = {"Origin": "https://a.example.org", "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "x-a"}
    status, h, _ = raw("OPTIONS", "/%s/k" % b, ask)
    assert status == 200 and h["Access-Control-Allow-Origin"] == "https://a.example.org" and h["Access-Control-Max-Age"] == "60"
    assert raw("OPTIONS", "/%s/k" % b, dict(ask, Origin="https://evil.org"))[0] == 403
    assert raw("OPTIONS", "/%s/k" % b, {})[0] == 400
    url = alice.generate_presigned_url("put_object", Params={"Bucket": b, "Key": "k"})
    assert raw("OPTIONS", url[len(info["endpoint"]):], ask)[0] == 200
    assert raw("GET", "/%s/k" % b, {"Origin": "https://a.example.org"})[1]["Access-Control-Expose-Headers"] == "x-e"
    alice.delete_bucket_cors(Bucket=b)
    rules = [{"ID": "one", "Status": "Enabled", "Filter": {"And": {"Prefix": "p", "Tags": [{"Key": "a", "Value": "b"}]}},
              "Expiration": {"Days": 3}, "NoncurrentVersionExpiration": {"NoncurrentDays": 2},
              "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}}]
    alice.put_bucket_lifecycle_configuration(Bucket=b, LifecycleConfiguration={"Rules": rules})
    assert alice.get_bucket_lifecycle_configuration(Bucket=b)["Rules"] == rules
    fails("InvalidArgument", 400, alice.put_bucket_lifecycle_configuration, Bucket=b,
          LifecycleConfiguration={"Rules": rules + rules})
    alice.delete_bucket_lifecycle(Bucket=b)
    fails("NoSuchLifecycleConfiguration", 404, alice.get_bucket_lifecycle_configuration, Bucket=b)
    alice.put_bucket_encryption(Bucket=b, ServerSideEncryptionConfiguration={
        "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]})
    assert alice.get_bucket_encryption(Bucket=b)["ServerSideEncryptionConfiguration"]["Rules"]
    rule = "<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm>" \
        "</ApplyServerSideEncryptionByDefault>%s</Rule>"
    blocked = "<BlockedEncryptionTypes><EncryptionType>%s</EncryptionType></BlockedEncryptionTypes>"

    def encryption(rules):
        c = client(0)

        def send(params, **_):
            text = "<ServerSideEncryptionConfiguration>" + rules + "</ServerSideEncryptionConfiguration>"
            params["body"] = text.encode()
            params["headers"]["Content-MD5"] = base64.b64encode(hashlib.md5(text.encode()).digest()).decode()
            for name in [n for n in params["headers"] if n.lower().startswith("x-amz-checksum-")]:
                del params["headers"][name]
        c.meta.events.register("before-call.s3.PutBucketEncryption", send)
        return lambda: c.put_bucket_encryption(Bucket=b, ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]})
    encryption(rule % (blocked % "NONE"))()
    fails("NotImplemented", 501, encryption(rule % (blocked % "SSE-C")))
    fails("NotImplemented", 501, encryption(rule % "" + (rule % "").replace("AES256", "aws:kms")))
    fails("MalformedXML", 400, encryption(""))
    logging, payment = alice.put_bucket_logging, alice.put_bucket_request_payment
    logging(Bucket=b, BucketLoggingStatus={})
    payment(Bucket=b, RequestPaymentConfiguration={"Payer": "BucketOwner"})
    alice.put_bucket_notification_configuration(Bucket=b, NotificationConfiguration={})
    alice.put_bucket_accelerate_configuration(Bucket=b, AccelerateConfiguration={"Status": "Suspended"})
    fails("NotImplemented", 501, logging, Bucket=b,
          BucketLoggingStatus={"LoggingEnabled": {"TargetBucket": b, "TargetPrefix": ""}})
    fails("NotImplemented", 501, payment, Bucket=b, RequestPaymentConfiguration={"Payer": "Requester"})
    fails("NotImplemented", 501, alice.put_bucket_accelerate_configuration, Bucket=b,
          AccelerateConfiguration={"Status": "Enabled"})
    fails("NotImplemented", 501, alice.put_bucket_notification_configuration, Bucket=b, NotificationConfiguration={
        "TopicConfigurations": [{"TopicArn": "arn:aws:sns:us-east-1:1:t", "Events": ["s3:ObjectCreated:*"]}]})
    assert alice.get_bucket_request_payment(Bucket=b)["Payer"] == "BucketOwner"


@case
def lifecycle_rules():
    b = bucket()
    rules = [{"ID": "first form", "Prefix": "old/", "Status": "Disabled", "Expiration": {"Days": 9}},
             {"ID": "two", "Filter": {"Prefix": "new/"}, "Status": "Enabled", "Expiration": {"Days": 3}}]
    alice.put_bucket_lifecycle_configuration(Bucket=b, LifecycleConfiguration={"Rules": rules})
    assert alice.get_bucket_lifecycle_configuration(Bucket=b)["Rules"] == rules
    assert 'rule-id="two"' in alice.put_object(Bucket=b, Key="new/x", Body=b"")["Expiration"]
    assert 'rule-id="two"' in alice.head_object(Bucket=b, Key="new/x")["Expiration"]
    assert "Expiration" not in alice.put_object(Bucket=b, Key="old/x", Body=b"")
    copied = alice.copy_object(Bucket=b, Key="new/y", CopySource={"Bucket": b, "Key": "old/x"})
    assert 'rule-id="two"' in copied["Expiration"]
    u = alice.create_multipart_upload(Bucket=b, Key="new/z")["UploadId"]
    p = alice.upload_part(Bucket=b, Key="new/z", UploadId=u, PartNumber=1, Body=b"1")
    done = alice.complete_multipart_upload(
        Bucket=b, Key="new/z", UploadId=u, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": p["ETag"]}]})
    assert 'rule-id="two"' in done["Expiration"]
    many = [{"ID": "%0200d" % i, "Filter": {"Prefix": "p" * 300}, "Status": "Enabled",
             "Expiration": {"Days": 1}} for i in range(1000)]
    alice.put_bucket_lifecycle_configuration(Bucket=b, LifecycleConfiguration={"Rules": many})
    assert alice.get_bucket_lifecycle_configuration(Bucket=b)["Rules"] == many
    many[0]["Filter"]["Prefix"] = "p" * 1000
    for r in many:
        r["Filter"] = many[0]["Filter"]
    fails("MaxMessageLengthExceeded", 400, alice.put_bucket_lifecycle_configuration,
          Bucket=b, LifecycleConfiguration={"Rules": many})


# The gateway of these tests has days of two seconds.
@case
def lifecycle_acts():
    b = bucket()
    alice.put_bucket_versioning(Bucket=b, VersioningConfiguration={"Status": "Enabled"})
    for k in ("gone/1", "gone/2", "kept"):
        alice.put_object(Bucket=b, Key=k, Body=b"1")
    alice.put_object(Bucket=b, Key="many", Body=b"1")
    alice.put_object(Bucket=b, Key="many", Body=b"2")
    alice.create_multipart_upload(Bucket=b, Key="up")
    alice.put_bucket_lifecycle_configuration(Bucket=b, LifecycleConfiguration={"Rules": [
        {"ID": "1", "Filter": {"Prefix": "gone/"}, "Status": "Enabled", "Expiration": {"Days": 1}},
        {"ID": "2", "Filter": {"Prefix": ""}, "Status": "Enabled",
         "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
         "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}},
        {"ID": "3", "Filter": {"Prefix": ""}, "Status": "Enabled",
         "Expiration": {"ExpiredObjectDeleteMarker": True}}]})
    until(lambda: [o["Key"] for o in alice.list_objects(Bucket=b)["Contents"]] == ["kept", "many"])
    until(lambda: len(alice.list_object_versions(Bucket=b)["Versions"]) == 2)
    until(lambda: "DeleteMarkers" not in alice.list_object_versions(Bucket=b))
    until(lambda: "Uploads" not in alice.list_multipart_uploads(Bucket=b))
    assert body(b, "many") == b"2"


@case
def websites():
    b = bucket()
    alice.put_bucket_website(Bucket=b, WebsiteConfiguration={
        "IndexDocument": {"Suffix": "index.html"}, "ErrorDocument": {"Key": "error.html"},
        "RoutingRules": [{"Condition": {"KeyPrefixEquals": "old/"}, "Redirect": {"ReplaceKeyPrefixWith": "new/"}}]})
    alice.put_object(Bucket=b, Key="index.html", Body=b"index", ContentType="text/html", ACL="public-read")
    alice.put_object(Bucket=b, Key="error.html", Body=b"error", ACL="public-read")
    alice.put_object(Bucket=b, Key="secret", Body=b"s")
    host = {"Host": b + ".s3-website.localhost"}
    assert raw("GET", "/", host)[2] == b"index"
    assert raw("GET", "/none", host)[0::2] == (403, b"error")
    assert raw("GET", "/secret", host)[0] == 403
    import http.client
    h = http.client.HTTPConnection(info["endpoint"][7:])
    h.request("GET", "/old/x", headers=host)
    r = h.getresponse()
    assert r.status == 301 and r.headers["Location"].endswith("/new/x")


@case
def checksums():
    b = bucket()
    data = b"checksummed"
    crc = base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()
    sha = base64.b64encode(hashlib.sha256(data).digest()).decode()
    alice.put_object(Bucket=b, Key="k", Body=data, ChecksumCRC32=crc)
    assert alice.head_object(Bucket=b, Key="k", ChecksumMode="ENABLED")["ChecksumCRC32"] == crc
    assert "ChecksumCRC32" not in alice.head_object(Bucket=b, Key="k")
    alice.put_object(Bucket=b, Key="s", Body=data, ChecksumAlgorithm="SHA256")
    assert alice.get_object(Bucket=b, Key="s", ChecksumMode="ENABLED")["ChecksumSHA256"] == sha
    fails("BadDigest", 400, alice.put_object, Bucket=b, Key="x", Body=b"other", ChecksumCRC32=crc)
    fails("BadDigest", 400, alice.put_object, Bucket=b, Key="x", Body=b"other", ChecksumCRC32="AA==")
    fails("BadDigest", 400, alice.put_object, Bucket=b, Key="x", Body=b"o", ContentMD5=base64.b64encode(hashlib.md5(b"x").digest()).decode())
    fails("InvalidDigest", 400, alice.put_object, Bucket=b, Key="x", Body=b"o", ContentMD5="AA==")
    fails("404", 404, alice.head_object, Bucket=b, Key="x")
    r = alice.get_object_attributes(Bucket=b, Key="k", ObjectAttributes=["ETag", "Checksum", "ObjectSize", "StorageClass"])
    assert r["Checksum"]["ChecksumCRC32"] == crc and r["ObjectSize"] == len(data) and r["StorageClass"] == "STANDARD"
    u = alice.create_multipart_upload(Bucket=b, Key="m", ChecksumAlgorithm="SHA256")["UploadId"]
    p = [alice.upload_part(Bucket=b, Key="m", UploadId=u, PartNumber=n, Body=d, ChecksumAlgorithm="SHA256")
         for n, d in ((1, b"a" * 5242880), (2, b"b"))]
    r = alice.complete_multipart_upload(Bucket=b, Key="m", UploadId=u, MultipartUpload={"Parts": [
        {"PartNumber": i + 1, "ETag": x["ETag"], "ChecksumSHA256": x["ChecksumSHA256"]} for i, x in enumerate(p)]})
    want = hashlib.sha256(b"".join(base64.b64decode(x["ChecksumSHA256"]) for x in p)).digest()
    assert r["ChecksumSHA256"] == base64.b64encode(want).decode() + "-2"
    needs((1, 36), "knows no types of checksums; the rest of the case passed")
    for i, x in enumerate(p):  # with a part comes the part's
        r = alice.head_object(Bucket=b, Key="m", PartNumber=i + 1, ChecksumMode="ENABLED")
        assert (r["ChecksumSHA256"], r["ChecksumType"]) == (x["ChecksumSHA256"], "COMPOSITE")


@case
def checksums_of_uploads():
    needs((1, 36), "knows no types of checksums")
    b = bucket()
    data = [b"a" * 5 * 1024 * 1024, b"b" * 10]

    def upload():
        u = alice.create_multipart_upload(
            Bucket=b, Key="k", ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")["UploadId"]
        return u, {"Parts": [{"PartNumber": i + 1, "ETag": alice.upload_part(
            Bucket=b, Key="k", UploadId=u, PartNumber=i + 1, Body=d, ChecksumAlgorithm="CRC32")["ETag"]}
            for i, d in enumerate(data)]}
    crc = base64.b64encode(zlib.crc32(b"".join(data)).to_bytes(4, "big")).decode()
    u, parts = upload()
    complete = lambda **kw: alice.complete_multipart_upload(
        Bucket=b, Key="k", UploadId=u, MultipartUpload=parts, **kw)
    fails("BadDigest", 400, complete, ChecksumCRC32="AAAAAA==", ChecksumType="FULL_OBJECT")
    fails("BadDigest", 400, complete, ChecksumType="COMPOSITE")
    fails("InvalidRequest", 400, complete, MpuObjectSize=7)
    done = complete(ChecksumCRC32=crc, ChecksumType="FULL_OBJECT", MpuObjectSize=sum(map(len, data)))
    assert (done["ChecksumCRC32"], done["ChecksumType"]) == (crc, "FULL_OBJECT")
    again = complete()
    assert (again["ETag"], again["ChecksumCRC32"]) == (done["ETag"], crc)


@case
def customer_keys():
    b = bucket()
    key = b"k" * 32
    sse = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": key}
    alice.put_object(Bucket=b, Key="k", Body=b"secret", **sse)
    fails("InvalidRequest", 400, alice.get_object, Bucket=b, Key="k")
    fails("InvalidRequest", 400, alice.get_object, Bucket=b, Key="k", SSECustomerAlgorithm="AES256", SSECustomerKey=b"x" * 32)
    assert body(b, "k", **sse) == b"secret"
    assert alice.head_object(Bucket=b, Key="k", **sse)["SSECustomerAlgorithm"] == "AES256"
    alice.put_object(Bucket=b, Key="p", Body=b"x", ServerSideEncryption="AES256")
    assert alice.head_object(Bucket=b, Key="p")["ServerSideEncryption"] == "AES256"
    u = alice.create_multipart_upload(Bucket=b, Key="m", **sse)["UploadId"]
    parts = [b"a" * (5 * 1024 * 1024 + 1), b"bc"]
    tags = [alice.upload_part(Bucket=b, Key="m", UploadId=u, PartNumber=i + 1, Body=p, **sse)["ETag"]
            for i, p in enumerate(parts)]
    alice.complete_multipart_upload(Bucket=b, Key="m", UploadId=u, MultipartUpload={"Parts": [
        {"PartNumber": i + 1, "ETag": t} for i, t in enumerate(tags)]})
    assert body(b, "m", **sse) == b"".join(parts)
    assert body(b, "m", Range="bytes=5242880-5242882", **sse) == b"abc"


@case
def encryption_that_cannot_be():
    b = bucket()
    alice.put_object(Bucket=b, Key="k", Body=b"x")
    prefix = "x-amz-server-side-encryption"
    for code, status, header in (
            ("InvalidArgument", 400, {prefix: "aes:kms"}),
            ("InvalidArgument", 400, {prefix + "-aws-kms-key-id": "k"}),
            ("InvalidArgument", 400, {prefix: "AES256", prefix + "-aws-kms-key-id": "k"}),
            ("NotImplemented", 501, {prefix: "aws:kms", prefix + "-aws-kms-key-id": "k"})):
        c = client(0)
        for name, value in header.items():
            with_header(c, "PutObject", name, value)
        fails(code, status, c.put_object, Bucket=b, Key="n", Body=b"x")
    c = client(0)
    with_header(c, "GetObject", prefix, "AES256")
    with_header(c, "HeadObject", prefix, "AES256")
    fails("InvalidArgument", 400, c.get_object, Bucket=b, Key="k")
    fails("400", 400, c.head_object, Bucket=b, Key="k")


@case
def smuggled_and_malformed_requests():
    b = bucket(ACL="public-read-write")
    put = b"PUT /%s/k HTTP/1.1\r\nHost: h\r\n" % b.encode()
    for wrong in (b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                  b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", b"Host: i\r\nContent-Length: 0\r\n\r\n",
                  b"Transfer-Encoding: identity\r\n\r\n", b"Content-Length: 0x3\r\n\r\nabc"):
        assert b" 400 " in plain(put + wrong).split(b"\r\n")[0], wrong
    assert b" 411 " in plain(put + b"\r\n").split(b"\r\n")[0]
    assert b" 200 " in plain(put + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n").split(b"\r\n")[0]
    assert body(b, "k") == b"abc"
    plain(put + b"Transfer-Encoding: chunked\r\n\r\n3\r\nxyz\r\n5\r\nx", False).close()  # breaks off
    time.sleep(0.2)
    assert body(b, "k") == b"abc"
    alice.delete_object(Bucket=b, Key="k")
    for target in (b"/%s/a%%00b" % b.encode(), b"/%s/%%" % b.encode(), b"/%s/%%ff" % b.encode(), b"/%s/" % b.encode() + b"k" * 1025):
        answer = plain(b"PUT " + target + b" HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
        assert b" 400 " in answer.split(b"\r\n")[0], target
    huge = plain(put + b"X-Huge: " + b"a" * 50000 + b"\r\nContent-Length: 0\r\n\r\n")
    assert b" 4" in huge[:20] or huge == b""
    bomb = b'<!DOCTYPE a [<!ENTITY x "y">]><Delete><Object><Key>&x;</Key></Object></Delete>'
    assert b"MalformedXML" in plain(b"POST /%s?delete HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (b.encode(), len(bomb)) + bomb)
    assert b"Contents" not in plain(b"GET /%s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" % b.encode())


@case
def broken_uploads_leave_nothing():
    b = bucket(ACL="public-read-write")
    alice.put_object(Bucket=b, Key="old", Body=b"old")
    for key in ("new", "old"):
        s = plain(b"PUT /%s/%s HTTP/1.1\r\nHost: h\r\nContent-Length: 9000000\r\n\r\n" % (b.encode(), key.encode()) + b"x" * 3000000, False)
        time.sleep(0.2)
        s.close()
    time.sleep(0.3)
    assert [x["Key"] for x in alice.list_objects_v2(Bucket=b)["Contents"]] == ["old"]
    assert body(b, "old") == b"old"
    # Gone in the middle of an answer.
    alice.put_object(Bucket=b, Key="big", Body=b"y" * 20000000, ACL="public-read")
    for _ in range(20):
        s = plain(b"GET /%s/big HTTP/1.1\r\nHost: h\r\n\r\n" % b.encode(), False)
        s.recv(1000)
        s.close()
    assert len(body(b, "big")) == 20000000


@case
def slow_clients_beside_a_working_one():
    b = bucket(ACL="public-read-write")
    slow = []
    for i in range(1000):
        head = b"PUT /%s/slow%d HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nx" % (b.encode(), i)
        slow.append(plain(head if i % 2 else head[:20], False))
    began = time.time()
    for i in range(20):
        alice.put_object(Bucket=b, Key="fast", Body=b"%d" % i)
        assert body(b, "fast") == b"%d" % i
    assert time.time() - began < 15, "slow clients hold up a working one"
    for i in range(60):  # and long bodies that do not come
        slow.append(plain(b"PUT /%s/long%d HTTP/1.1\r\nHost: h\r\nContent-Length: 20000000\r\n\r\nx" % (b.encode(), i), False))
    began = time.time()
    alice.put_object(Bucket=b, Key="long", Body=b"l" * 8000000)
    assert time.time() - began < 15, "slow bodies hold up a working one"
    for s in slow:
        s.close()


@case
def virtual_hosts():
    b = bucket()
    alice.put_object(Bucket=b, Key="k", Body=b"x", ACL="public-read")
    assert raw("GET", "/k", {"Host": b + ".localhost"})[2] == b"x"


@case
def uploads_completed_again():
    b = bucket()
    data = [b"a" * 5 * 1024 * 1024, b"b"]
    u = alice.create_multipart_upload(Bucket=b, Key="k", ChecksumAlgorithm="SHA256")["UploadId"]
    put = lambda n: alice.upload_part(
        Bucket=b, Key="k", UploadId=u, PartNumber=n, Body=data[n - 1], ChecksumAlgorithm="SHA256")
    first = [put(1), put(2)]
    data[1] = b"c"
    parts = {"Parts": [{"PartNumber": n, "ETag": p["ETag"]} for n, p in ((1, first[0]), (2, first[1]), (2, put(2)))]}
    done = [alice.complete_multipart_upload(Bucket=b, Key="k", UploadId=u, MultipartUpload=parts) for _ in range(2)]
    assert body(b, "k") == b"".join(data)  # of a part that is named twice the later counts
    assert done[0]["ChecksumSHA256"].endswith("-2") and done[0]["ChecksumSHA256"] == done[1]["ChecksumSHA256"]
    sums = [base64.b64encode(hashlib.sha256(d).digest()).decode() for d in data]
    r = alice.get_object_attributes(Bucket=b, Key="k", ObjectAttributes=["ObjectParts"])["ObjectParts"]
    assert [p["ChecksumSHA256"] for p in r["Parts"]] == sums


@case
def what_is_never_there():
    b = bucket()
    alice.put_object(Bucket=b, Key="k", Body=b"x")
    fails("NoSuchKey", 404, alice.get_object_torrent, Bucket=b, Key="k")
    fails("ReplicationConfigurationNotFoundError", 404, alice.get_bucket_replication, Bucket=b)
    alice.delete_object(Bucket=b, Key="k")
    e = fails("404", 404, alice.head_object, Bucket=b, Key="k")
    assert e["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"] == "false"
    alice.create_multipart_upload(Bucket=b, Key="k")  # keeps no bucket from going
    alice.delete_bucket(Bucket=b)


@case
def what_is_not_done_changes_nothing():
    # Of what S3 can and we cannot, what would overwrite, delete, or check nothing if it were taken for the plain thing.
    b, empty = bucket(), bucket()
    alice.put_object(Bucket=b, Key="k", Body=b"kept")

    def asked(operation, query, f, **kw):
        c = client(0)

        def add(params, **_):
            params["url"] += "?" + query
        c.meta.events.register("before-call.s3." + operation, add)
        return lambda: getattr(c, f)(**kw)
    for query in ("renameObject", "encryption", "annotation&annotationName=n"):
        fails("NotImplemented", 501, asked("PutObject", query, "put_object", Bucket=b, Key="k", Body=b"other"))
    fails("NotImplemented", 501, asked("DeleteObject", "annotation&annotationName=n", "delete_object", Bucket=b, Key="k"))
    fails("InvalidArgument", 400, asked("PutObject", "versionId=null", "put_object", Bucket=b, Key="k", Body=b"other"))
    fails("InvalidArgument", 400, asked("PutObject", "partNumber=1", "put_object", Bucket=b, Key="k", Body=b"other"))
    for operation, f in (("DeleteObject", "delete_object"), ("GetObject", "get_object")):
        c = client(0)
        with_header(c, operation, "x-amz-copy-source", b + "/k")
        fails("InvalidArgument", 400, getattr(c, f), Bucket=b, Key="k")
    c = client(0)
    with_header(c, "PutObject", "x-amz-copy-source", b + "/k")
    fails("InvalidRequest", 400, c.put_object, Bucket=b, Key="copy", Body=b"a copy has none")
    for query in ("metadataConfiguration", "metadataTable"):
        fails("NotImplemented", 501, asked("DeleteBucket", query, "delete_bucket", Bucket=empty))
    alice.head_bucket(Bucket=empty)
    for name, value in (("x-amz-write-offset-bytes", "4"), ("x-amz-checksum-sha512", "AAAA"),
                        ("x-amz-object-lock-event-hold", "ON")):
        c = client(0)
        with_header(c, "PutObject", name, value)
        fails("NotImplemented", 501, c.put_object, Bucket=b, Key="k", Body=b"other")
    assert post_form(b, [("key", "k"), ("x-amz-checksum-sha512", "AAAA")])[0] != 204
    u = alice.create_multipart_upload(Bucket=b, Key="k")["UploadId"]
    c = client(0)
    with_header(c, "AbortMultipartUpload", "x-amz-if-match-initiated-time", "Thu, 01 Jan 2015 00:00:00 GMT")
    fails("NotImplemented", 501, c.abort_multipart_upload, Bucket=b, Key="k", UploadId=u)
    alice.list_parts(Bucket=b, Key="k", UploadId=u)
    assert body(b, "k") == b"kept"
    alice.put_bucket_acl(Bucket=b, ACL="public-read-write")
    assert post_form(b, [("key", "form"), ("x-amz-checksum-sha512", "AAAA")])[0] == 501


@case
def buckets_with_tags():
    def create(text, **headers):
        c, name = client(0), bucket() + "-x"

        def send(params, **_):
            params["body"] = ('<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">%s'
                              '</CreateBucketConfiguration>' % text).encode()
            params["headers"].update(headers)
        c.meta.events.register("before-call.s3.CreateBucket", send)
        return name, lambda: c.create_bucket(Bucket=name)
    tag = "<Tag><Key>%s</Key><Value>v</Value></Tag>"
    name, go = create("<Tags>" + tag % "b" + tag % "a" + "</Tags>")
    go()
    assert alice.get_bucket_tagging(Bucket=name)["TagSet"] == [{"Key": "a", "Value": "v"}, {"Key": "b", "Value": "v"}]
    for text, code, status, headers in (
            ("<Tags>" + tag % "a" * 2 + "</Tags>", "InvalidTag", 400, {}), ("<Tags><Other/></Tags>", "MalformedXML", 400, {}),
            ("<Bucket><Type>Directory</Type></Bucket>", "NotImplemented", 501, {}),
            ("", "NotImplemented", 501, {"x-amz-bucket-namespace": "account-regional"})):
        name, go = create(text, **headers)
        fails(code, status, go)
        fails("404", 404, alice.head_bucket, Bucket=name)


@case
def copies_from_whom_they_say():
    b = bucket()
    alice.put_object(Bucket=b, Key="k", Body=b"x")
    u = alice.create_multipart_upload(Bucket=b, Key="parts")["UploadId"]
    src = {"Bucket": b, "Key": "k"}
    fails("AccessDenied", 403, alice.copy_object, Bucket=b, Key="to", CopySource=src, ExpectedSourceBucketOwner=BOB)
    fails("AccessDenied", 403, alice.upload_part_copy, Bucket=b, Key="parts", UploadId=u, PartNumber=1, CopySource=src,
          ExpectedSourceBucketOwner=BOB)
    alice.copy_object(Bucket=b, Key="to", CopySource=src, ExpectedSourceBucketOwner=ALICE)


run()
