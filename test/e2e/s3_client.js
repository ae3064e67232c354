// The JavaScript SDK as a client of two gateways (test/e2e/s3_clients): what it wrote through one comes back through the
// other. Arguments: the directory with node_modules, two endpoints, access key, secret key, a directory of files.
'use strict';
const { createRequire } = require('module');
const { createHash } = require('crypto');
const fs = require('fs');
const path = require('path');
const assert = require('assert');

const [where, first, second, accessKeyId, secretAccessKey, files] = process.argv.slice(2);
const sdk = createRequire(path.join(path.resolve(where), 'index.js'))('@aws-sdk/client-s3');
const client = (endpoint) => new sdk.S3Client({
	endpoint, region: 'us-east-1', forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } });
const one = client(first), two = client(second);
const Bucket = 'js-bucket', PART = 8 * 1024 * 1024;

async function digestOf(stream) {
	const h = createHash('sha256');
	for await (const piece of stream) h.update(piece);
	return h.digest('hex');
}

async function inParts(Key, file, size) {
	const { UploadId } = await one.send(new sdk.CreateMultipartUploadCommand({ Bucket, Key }));
	const Parts = [], handle = fs.openSync(file, 'r');
	for (let at = 0; at < size; at += PART) {
		const Body = Buffer.alloc(Math.min(PART, size - at));
		fs.readSync(handle, Body, 0, Body.length, at);
		const PartNumber = Parts.length + 1;
		const { ETag, ChecksumCRC32 } = await (PartNumber % 2 ? one : two).send(
			new sdk.UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body, ChecksumAlgorithm: 'CRC32' }));
		Parts.push({ ETag, PartNumber, ChecksumCRC32 });
	}
	fs.closeSync(handle);
	await two.send(new sdk.CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }));
}

async function main() {
	await one.send(new sdk.CreateBucketCommand({ Bucket }));
	for (const name of fs.readdirSync(files)) {
		const file = path.join(files, name), Key = `ü +%/${name}`, { size } = fs.statSync(file);
		if (size > PART) await inParts(Key, file, size);
		else await one.send(new sdk.PutObjectCommand({
			Bucket, Key, Body: fs.readFileSync(file), Metadata: { name: 'value' }, ChecksumAlgorithm: 'SHA256' }));
		const { Body, ContentLength } = await two.send(new sdk.GetObjectCommand({ Bucket, Key }));
		assert.strictEqual(ContentLength, size);
		assert.strictEqual(await digestOf(Body), await digestOf(fs.createReadStream(file)), name);
	}
	const all = [];
	for (let i = 0; i < 30; i++) {
		all.push(`page/${i}`);
		await (i % 2 ? one : two).send(new sdk.PutObjectCommand({ Bucket, Key: `page/${i}`, Body: String(i) }));
	}
	const found = [];
	for await (const page of sdk.paginateListObjectsV2({ client: two, pageSize: 7 }, { Bucket, Prefix: 'page/' }))
		found.push(...page.Contents.map((o) => o.Key));
	assert.deepStrictEqual(found, all.sort());
	const range = await two.send(new sdk.GetObjectCommand({ Bucket, Key: 'page/17', Range: 'bytes=1-1' }));
	assert.strictEqual(await range.Body.transformToString(), '7');
	await assert.rejects(one.send(new sdk.PutObjectCommand({ Bucket, Key: 'page/1', Body: 'x', IfNoneMatch: '*' })),
		(e) => e.$metadata.httpStatusCode === 412);
	await two.send(new sdk.CopyObjectCommand({ Bucket, Key: 'copy', CopySource: `${Bucket}/page/3` }));
	const copy = await one.send(new sdk.GetObjectCommand({ Bucket, Key: 'copy' }));
	assert.strictEqual(await copy.Body.transformToString(), '3');
	await assert.rejects(one.send(new sdk.GetObjectCommand({ Bucket, Key: 'none' })), sdk.NoSuchKey);
	const listed = await one.send(new sdk.ListObjectsV2Command({ Bucket }));
	const gone = await two.send(new sdk.DeleteObjectsCommand({
		Bucket, Delete: { Objects: listed.Contents.map(({ Key }) => ({ Key })) } }));
	assert.strictEqual(gone.Deleted.length, listed.Contents.length);
	await one.send(new sdk.DeleteBucketCommand({ Bucket }));
}

main().catch((e) => { console.error(e); process.exit(1); });
