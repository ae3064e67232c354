/* The storage protocol: round trips, cut and altered bytes, and each field out of its range. */
#include "storage/messages.h"

#include <stdlib.h>

#include "overlay/base/pack.h"
#include "test/unit/suite.h"

static const struct network_id net = { { 1, 2, 3, 4 } }, other_net = { { 9 } };

static struct lease
make_lease(void)
{
	struct sign_key key;
	struct pubkey pub;
	struct lease l = {
		.generation = 3, .until = 2000000000, .constraints = { .repair_at = 3 }
	};

	crypto_sign_key_from_seed(&(struct key){ { 8 } }, &key, &pub);
	memset(l.chunk.b, 0x11, sizeof(l.chunk.b));
	lease_sign(&l, net, &key, &pub);
	return l;
}

static struct siblings *
make_siblings(size_t count)
{
	struct siblings *s = calloc(1, sizeof(*s));

	ck_assert_ptr_nonnull(s);
	s->count = (uint8_t)count;
	for (size_t i = 0; i < count; i++) {
		s->at[i].index = (uint8_t)(i / 2); /* two nodes for an index */
		s->at[i].node.b[0] = (uint8_t)i;
	}
	return s;
}

/* Maps of integers and byte strings: pairs of (key, value) until a key of 0. */
struct pair {
	uint32_t key;
	uint64_t number;
	const void *bin;
	size_t len;
};

static void
write_map(struct buf *out, const struct pair *pairs)
{
	struct msg_writer w = msg_writer_on(out);
	uint32_t count = 0;

	while (pairs[count].key != 0)
		count++;
	buf_reset(out);
	msg_put_map(&w, count);
	for (uint32_t i = 0; i < count; i++) {
		if (pairs[i].bin != NULL)
			msg_pair_bin(&w, pairs[i].key, bytes_of(pairs[i].bin, pairs[i].len));
		else
			msg_pair_u64(&w, pairs[i].key, pairs[i].number);
	}
	ck_assert_int_eq(msg_done(&w), ERR_OK);
}

/* One unpack function in the same clothes as all others. */
typedef int unpack_fn(struct bytes in);

static int
unpack_query(struct bytes in)
{
	struct chunk_query q;

	return chunk_query_unpack(in, &q);
}

static int
unpack_have(struct bytes in)
{
	struct chunk_have h;

	return chunk_have_unpack(in, &h);
}

static int
unpack_put(struct bytes in)
{
	struct shard_put p;

	return shard_put_unpack(in, &p);
}

static int
unpack_range(struct bytes in)
{
	struct shard_range r;

	return shard_range_unpack(in, &r);
}

static int
unpack_note(struct bytes in)
{
	struct siblings_note n;

	return siblings_note_unpack(in, 4, &n);
}

static int
unpack_update(struct bytes in)
{
	struct lease_update u;

	return lease_update_unpack(in, net, &u);
}

static int
unpack_commit(struct bytes in)
{
	struct descriptor d;
	struct lease l;

	return shard_commit_unpack(in, net, &d, &l);
}

/* Every cut, and one byte too many; nothing, and things that are no map. */
static void
cuts_are_refused(unpack_fn *unpack, struct buf *packed)
{
	size_t len = packed->len;

	ck_assert_int_eq(unpack(buf_bytes(packed)), ERR_OK);
	for (size_t cut = 0; cut < len; cut++)
		ck_assert_int_ne(unpack(bytes_of(packed->data, cut)), ERR_OK);
	ck_assert_int_eq(buf_append(packed, "", 1), ERR_OK);
	ck_assert_int_eq(unpack(buf_bytes(packed)), ERR_INVALID);
	packed->len = len;
	ck_assert_int_eq(unpack(bytes_of("\x80", 1)), ERR_INVALID);
	ck_assert_int_eq(unpack(bytes_of("\x90", 1)), ERR_INVALID);
	ck_assert_int_eq(unpack(bytes_of("\x01", 1)), ERR_INVALID);
	ck_assert_int_eq(unpack(bytes_of("\xc0", 1)), ERR_INVALID);
}

/* A good map, which each change of one pair spoils. */
struct change {
	uint32_t key;
	uint64_t number;
	const void *bin;
	size_t len;
	bool fine;
};

static void
changes_are_refused(unpack_fn *unpack, const struct pair *good, const struct change *changes)
{
	struct buf out;
	struct pair pairs[16];
	size_t count = 0;

	buf_init(&out, 65536);
	write_map(&out, good);
	ck_assert_int_eq(unpack(buf_bytes(&out)), ERR_OK);
	while (good[count].key != 0)
		count++;
	/* Each key absent; each of another type. */
	for (size_t gone = 0; gone < count; gone++) {
		memcpy(pairs, good, (count + 1) * sizeof(*good));
		memmove(&pairs[gone], &pairs[gone + 1], (count - gone) * sizeof(*good));
		write_map(&out, pairs);
		ck_assert_int_eq(unpack(buf_bytes(&out)), ERR_INVALID);
		memcpy(pairs, good, (count + 1) * sizeof(*good));
		pairs[gone].bin = pairs[gone].bin == NULL ? "x" : NULL;
		pairs[gone].len = 1;
		write_map(&out, pairs);
		ck_assert_int_eq(unpack(buf_bytes(&out)), ERR_INVALID);
	}
	for (const struct change *c = changes; c->key != 0; c++) {
		memcpy(pairs, good, (count + 1) * sizeof(*good));
		for (size_t i = 0; i < count; i++) {
			if (pairs[i].key == c->key)
				pairs[i] = (struct pair){ c->key, c->number, c->bin, c->len };
		}
		write_map(&out, pairs);
		ck_assert_int_eq(unpack(buf_bytes(&out)), c->fine ? ERR_OK : ERR_INVALID);
	}
	/* A key of a later version. */
	memcpy(pairs, good, count * sizeof(*good));
	pairs[count] = (struct pair){ 99, 7, NULL, 0 };
	pairs[count + 1] = (struct pair){ 0 };
	write_map(&out, pairs);
	ck_assert_int_eq(unpack(buf_bytes(&out)), ERR_OK);
	buf_fini(&out);
}

static const uint8_t bytes32[33] = { 1, 2, 3 };

START_TEST(chunk_query_all)
{
	struct chunk_query q = { { { 5, 6 } } }, back;
	struct buf out;

	buf_init(&out, 256);
	ck_assert_int_eq(chunk_query_pack(&q, &out), ERR_OK);
	ck_assert_int_eq(chunk_query_unpack(buf_bytes(&out), &back), ERR_OK);
	ck_assert(hash_equal(&q.chunk, &back.chunk));
	cuts_are_refused(unpack_query, &out);
	changes_are_refused(unpack_query, (struct pair[]){ { 1, 0, bytes32, 32 }, { 0 } },
	    (struct change[]){ { 1, 0, bytes32, 31 }, { 1, 0, bytes32, 33 }, { 0 } });
	buf_fini(&out);
}
END_TEST

START_TEST(chunk_have_all)
{
	struct chunk_have h = { .k = 4,
		.r = 6,
		.n = 9,
		.chunk_bytes = MIB(3),
		.lease_until = 77,
		.count = 3,
		.indices = { 0, 4, 8 } },
			  back;
	const struct pair good[] = { { 1, 4, NULL, 0 }, { 2, 6, NULL, 0 }, { 3, 9, NULL, 0 },
		{ 4, MIB(3), NULL, 0 }, { 5, 77, NULL, 0 }, { 6, 0, "\0\4\10", 3 }, { 0 } };
	struct buf out;

	buf_init(&out, 512);
	ck_assert_int_eq(chunk_have_pack(&h, &out), ERR_OK);
	ck_assert_int_eq(chunk_have_unpack(buf_bytes(&out), &back), ERR_OK);
	ck_assert(back.k == 4 && back.r == 6 && back.n == 9 && back.count == 3);
	ck_assert_uint_eq(back.chunk_bytes, MIB(3));
	ck_assert_uint_eq(back.lease_until, 77);
	ck_assert_mem_eq(back.indices, "\0\4\10", 3);
	cuts_are_refused(unpack_have, &out);
	changes_are_refused(unpack_have, good,
	    (struct change[]){ { 1, 0, NULL, 0 }, { 1, 10, NULL, 0 }, { 1, 256, NULL, 0 },
		{ 2, 3, NULL, 0 }, { 2, 10, NULL, 0 }, { 3, 5, NULL, 0 }, { 3, 256, NULL, 0 },
		{ 3, 8, NULL, 0 }, /* index 8 is none of 8 */
		{ 4, 0, NULL, 0 }, { 4, CHUNK_BYTES_MAX + 1, NULL, 0 }, { 4, UINT64_MAX, NULL, 0 },
		{ 5, UINT64_MAX, NULL, 0, .fine = true }, { 6, 0, "\0\11", 2 }, { 6, 0, "\4\4", 2 },
		{ 6, 0, "\5\4", 2 }, { 6, 0, "\0\1\2\3\4\5\6\7\10\11", 10 },
		{ 6, 0, "", 0, .fine = true }, { 0 } });
	buf_fini(&out);
}
END_TEST

START_TEST(shard_put_all)
{
	static const uint8_t grant[GRANT_BYTES + 1];
	struct shard_put p = { .k = 4, .n = 9, .index = 8, .chunk_bytes = 12345, .granted = true },
			 back;
	const struct pair good[] = { { 1, 4, NULL, 0 }, { 2, 9, NULL, 0 }, { 3, 8, NULL, 0 },
		{ 4, 12345, NULL, 0 }, { 5, 0, bytes32, 32 }, { 0 } };
	struct pair granted[] = { good[0], good[1], good[2], good[3], good[4],
		{ 6, 0, grant, GRANT_BYTES }, { 0 } };
	struct buf out;

	memset(p.grant.b, 7, sizeof(p.grant.b));
	p.lease_key.b[3] = 9;
	buf_init(&out, 256);
	ck_assert_int_eq(shard_put_pack(&p, &out), ERR_OK);
	ck_assert_int_eq(shard_put_unpack(buf_bytes(&out), &back), ERR_OK);
	ck_assert(back.k == 4 && back.n == 9 && back.index == 8 && back.chunk_bytes == 12345);
	ck_assert(back.granted && pubkey_equal(&back.lease_key, &p.lease_key));
	ck_assert_mem_eq(back.grant.b, p.grant.b, sizeof(p.grant.b));
	cuts_are_refused(unpack_put, &out);
	changes_are_refused(unpack_put, good,
	    (struct change[]){ { 1, 0, NULL, 0 }, { 1, 10, NULL, 0 }, { 2, 3, NULL, 0 },
		{ 2, 256 + 9, NULL, 0 }, { 3, 9, NULL, 0 }, { 3, 256, NULL, 0 }, { 4, 0, NULL, 0 },
		{ 4, CHUNK_BYTES_MAX + 1, NULL, 0 }, { 4, CHUNK_BYTES_MAX, NULL, 0, .fine = true },
		{ 5, 0, bytes32, 31 }, { 0 } });
	for (size_t len = GRANT_BYTES - 1; len <= GRANT_BYTES + 1; len++) {
		granted[5].len = len;
		write_map(&out, granted);
		ck_assert_int_eq(shard_put_unpack(buf_bytes(&out), &back),
		    len == GRANT_BYTES ? ERR_OK : ERR_INVALID);
	}
	buf_fini(&out);
}
END_TEST

START_TEST(shard_range_all)
{
	struct shard_range r = { .chunk = { { 1 } }, .index = 254, .first = 1023, .count = 1024 };
	struct shard_range back;
	const struct pair good[] = { { 1, 0, bytes32, 32 }, { 2, 3, NULL, 0 }, { 3, 5, NULL, 0 },
		{ 4, 6, NULL, 0 }, { 0 } };
	struct buf out;

	buf_init(&out, 256);
	ck_assert_int_eq(shard_range_pack(&r, &out), ERR_OK);
	ck_assert_int_eq(shard_range_unpack(buf_bytes(&out), &back), ERR_OK);
	ck_assert(hash_equal(&back.chunk, &r.chunk) && back.index == 254);
	ck_assert(back.first == 1023 && back.count == 1024);
	cuts_are_refused(unpack_range, &out);
	changes_are_refused(unpack_range, good,
	    (struct change[]){ { 1, 0, bytes32, 31 }, { 2, 255, NULL, 0 },
		{ 3, LEAVES_MAX, NULL, 0 }, { 3, UINT64_MAX, NULL, 0 }, { 4, 0, NULL, 0 },
		{ 4, LEAVES_MAX + 1, NULL, 0 }, { 4, UINT64_C(1) << 32, NULL, 0 }, { 0 } });
	buf_fini(&out);
}
END_TEST

START_TEST(siblings_all)
{
	uint8_t packed[SHARDS_MAX * SIBLING_BYTES + SIBLING_BYTES];
	static const size_t counts[] = { 0, 1, 2, 64, SHARDS_MAX };

	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		struct siblings *s = make_siblings(counts[i]), *back = make_siblings(0);
		size_t len = siblings_pack(s, packed);

		ck_assert_uint_eq(len, counts[i] * SIBLING_BYTES);
		ck_assert_int_eq(siblings_unpack(bytes_of(packed, len), 128, back), ERR_OK);
		ck_assert_mem_eq(s, back, sizeof(*s));
		for (size_t cut = 1; cut < SIBLING_BYTES && len > 0; cut++)
			ck_assert_int_eq(
			    siblings_unpack(bytes_of(packed, len - cut), 128, back), ERR_INVALID);
		free(s);
		free(back);
	}
}
END_TEST

START_TEST(siblings_out_of_range_or_twice)
{
	uint8_t packed[(SHARDS_MAX + 1) * SIBLING_BYTES];
	struct siblings *s = make_siblings(4), *back = make_siblings(0);
	size_t len = siblings_pack(s, packed);

	ck_assert_int_eq(siblings_unpack(bytes_of(packed, len), 2, back), ERR_OK);
	back->count = 77;
	ck_assert_int_eq(siblings_unpack(bytes_of(packed, len), 1, back), ERR_INVALID);
	memcpy(packed + len, packed + SIBLING_BYTES, SIBLING_BYTES);
	ck_assert_int_eq(
	    siblings_unpack(bytes_of(packed, len + SIBLING_BYTES), 2, back), ERR_INVALID);
	/* The same node under another index is no repetition. */
	packed[len] = 1;
	ck_assert_int_eq(back->count, 77);
	ck_assert_int_eq(siblings_unpack(bytes_of(packed, len + SIBLING_BYTES), 2, back), ERR_OK);
	memset(packed, 0, sizeof(packed));
	for (size_t i = 0; i <= SHARDS_MAX; i++) {
		packed[i * SIBLING_BYTES + 1] = (uint8_t)i;
		packed[i * SIBLING_BYTES + 2] = (uint8_t)(i >> 8);
	}
	ck_assert_int_eq(siblings_unpack(bytes_of(packed, sizeof(packed)), 2, back), ERR_INVALID);
	free(s);
	free(back);
}
END_TEST

START_TEST(siblings_note_all)
{
	struct siblings *s = make_siblings(8);
	struct siblings_note *n = calloc(1, sizeof(*n)), *back = calloc(1, sizeof(*back));
	uint8_t one[SIBLING_BYTES] = { 3 };
	const struct pair good[] = { { 1, 9, NULL, 0 }, { 2, 0, one, sizeof(one) }, { 0 } };
	struct buf out;

	buf_init(&out, 16384);
	n->sequence = UINT64_MAX;
	n->siblings = *s;
	ck_assert_int_eq(siblings_note_pack(n, &out), ERR_OK);
	ck_assert_int_eq(siblings_note_unpack(buf_bytes(&out), 4, back), ERR_OK);
	ck_assert_mem_eq(&back->siblings, s, sizeof(*s));
	ck_assert(back->sequence == UINT64_MAX);
	cuts_are_refused(unpack_note, &out);
	changes_are_refused(unpack_note, good,
	    (struct change[]){ { 2, 0, one, SIBLING_BYTES - 1 }, { 2, 0, "\4", 1 },
		{ 2, 0, "", 0, .fine = true }, { 0 } });
	/* No siblings are a message, too. */
	buf_reset(&out);
	n->siblings.count = 0;
	ck_assert_int_eq(siblings_note_pack(n, &out), ERR_OK);
	ck_assert_int_eq(siblings_note_unpack(buf_bytes(&out), 4, back), ERR_OK);
	ck_assert_uint_eq(back->siblings.count, 0);
	/* A buffer too small is an error of the writer's, not a cut message. */
	n->siblings.count = 8;
	buf_fini(&out);
	buf_init(&out, 100);
	ck_assert_int_eq(siblings_note_pack(n, &out), ERR_TOO_BIG);
	buf_fini(&out);
	free(s);
	free(n);
	free(back);
}
END_TEST

START_TEST(lease_update_all)
{
	struct lease_update *u = calloc(1, sizeof(*u)), *back = calloc(1, sizeof(*back));
	struct siblings *s = make_siblings(6);
	struct buf out;

	buf_init(&out, 16384);
	u->lease = make_lease();
	u->note.sequence = 5;
	u->note.siblings = *s;
	ck_assert_int_eq(lease_update_pack(u, net, &out), ERR_OK);
	ck_assert_int_eq(lease_update_unpack(buf_bytes(&out), net, back), ERR_OK);
	ck_assert_mem_eq(&back->note.siblings, s, sizeof(*s));
	ck_assert_uint_eq(back->lease.generation, 3);
	ck_assert_mem_eq(back->lease.sig.b, u->lease.sig.b, sizeof(u->lease.sig.b));
	ck_assert_int_eq(lease_update_unpack(buf_bytes(&out), other_net, back), ERR_WRONG_NETWORK);
	cuts_are_refused(unpack_update, &out);
	/* The lease is the last field: a forged one is no malformed message. */
	out.data[out.len - 1] ^= 1;
	memset(back, 0x33, sizeof(*back));
	ck_assert_int_eq(lease_update_unpack(buf_bytes(&out), net, back), ERR_AUTH);
	for (size_t i = 0; i < sizeof(*back); i++)
		ck_assert_uint_eq(((uint8_t *)back)[i], 0x33);
	buf_fini(&out);
	free(s);
	free(u);
	free(back);
}
END_TEST

START_TEST(shard_commit_all)
{
	struct descriptor *d = calloc(1, sizeof(*d)), *back = calloc(1, sizeof(*back));
	struct lease l = make_lease(), lease_back;
	struct hash id, id_back;
	struct buf out;

	*d = (struct descriptor){ .k = 2, .n = 4, .chunk_bytes = 1000 };
	for (size_t i = 0; i < 4; i++)
		d->roots[i].b[5] = (uint8_t)i;
	buf_init(&out, SHARD_COMMIT_BYTES_MAX);
	ck_assert_int_eq(shard_commit_pack(d, &l, net, &out), ERR_OK);
	ck_assert_int_eq(shard_commit_unpack(buf_bytes(&out), net, back, &lease_back), ERR_OK);
	descriptor_id(d, &id);
	descriptor_id(back, &id_back);
	ck_assert(hash_equal(&id, &id_back));
	ck_assert_uint_eq(lease_back.until, l.until);
	ck_assert_int_eq(
	    shard_commit_unpack(buf_bytes(&out), other_net, back, &lease_back), ERR_WRONG_NETWORK);
	for (size_t cut = 0; cut < out.len; cut++)
		ck_assert_int_ne(unpack_commit(bytes_of(out.data, cut)), ERR_OK);
	/* Length and roots of a chunk may be any: that they are the chunk's is for its id to say.
	 */
	for (size_t i = 0; i < out.len; i++) {
		out.data[i] ^= 0x80;
		if (i < 2 + DESCRIPTOR_BYTES(0) - 8 || i >= 2 + DESCRIPTOR_BYTES(4))
			ck_assert_int_ne(unpack_commit(buf_bytes(&out)), ERR_OK);
		out.data[i] ^= 0x80;
	}
	buf_fini(&out);
	/* The widest fits what the receiver grants. */
	d->k = 20;
	d->n = SHARDS_MAX;
	buf_init(&out, SHARD_COMMIT_BYTES_MAX);
	ck_assert_int_eq(shard_commit_pack(d, &l, net, &out), ERR_OK);
	ck_assert_int_eq(unpack_commit(buf_bytes(&out)), ERR_OK);
	buf_fini(&out);
	free(d);
	free(back);
}
END_TEST

/* The id is the hash of the packed form, in one piece or in two. */
START_TEST(descriptor_ids)
{
	struct descriptor *d = calloc(1, sizeof(*d));
	uint8_t *packed = malloc(DESCRIPTOR_BYTES_MAX);
	struct hash id, expected;

	for (unsigned n = 1; n <= SHARDS_MAX; n += 127) {
		*d = (struct descriptor){ .k = 1, .n = (uint8_t)n, .chunk_bytes = n };
		d->roots[n - 1].b[31] = 1;
		crypto_sha256(&expected, packed, descriptor_pack(d, packed));
		descriptor_id(d, &id);
		ck_assert(hash_equal(&id, &expected));
	}
	free(packed);
	free(d);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("storage/messages");

	if (crypto_init() != ERR_OK)
		return EXIT_FAILURE;
	suite_add(
	    s, "maps", 0, chunk_query_all, chunk_have_all, shard_put_all, shard_range_all, NULL);
	suite_add(s, "siblings", 0, siblings_all, siblings_out_of_range_or_twice, siblings_note_all,
	    NULL);
	suite_add(s, "signed", 30, lease_update_all, shard_commit_all, descriptor_ids, NULL);
	return suite_main(s);
}
