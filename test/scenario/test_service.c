/* A storing node and a client that breaks every rule of the storage protocol: clear refusals,
 * nothing kept. */
#include <stdlib.h>

#include "overlay/base/pack.h"
#include "storage/merkle.h"
#include "storage/messages.h"
#include "test/scenario/world.h"
#include "test/unit/suite.h"

/* One shard put by hand, each step of which a test can spoil. */
struct attempt {
	struct world *w;
	/* what to do wrong */
	struct shard_put head;
	size_t cut_payload;     /* bytes fewer than the shard has */
	bool flip_payload;      /* not what the root says */
	bool wrong_chunk_lease; /* of another chunk */
	bool forged_lease;
	bool other_key;      /* than the one that was told first */
	int64_t lease_s;     /* from now; normally an hour */
	int64_t lock_s;      /* from now; 0: none */
	uint32_t commit_len; /* 0: the true one */
	/* what came back */
	int err;
	struct receipt receipt;
};

/* k = 1: the shard is the chunk. */
static void
make_commit(struct attempt *a, const uint8_t *payload, struct descriptor *d, struct lease *l)
{
	int64_t now = (int64_t)world_unix_s(world_client(a->w));
	struct layout layout;
	struct hash leaves[64];
	struct sign_key key;
	struct pubkey pub;

	must(layout_make(1, 1, a->head.chunk_bytes, &layout) == ERR_OK);
	must(layout.rows <= ARRAY_LEN(leaves));
	for (uint32_t row = 0; row < layout.rows; row++)
		merkle_leaf(&leaves[row], payload + (size_t)row * LEAF_BYTES,
		    layout_leaf_bytes(&layout, row));
	memset(d, 0, sizeof(*d));
	d->k = d->n = 1;
	d->chunk_bytes = a->head.chunk_bytes;
	must(merkle_root(&d->roots[0], leaves, layout.rows, layout.shard_bytes) == ERR_OK);
	*l = (struct lease){ .generation = 1,
		.until = (uint64_t)(now + (a->lease_s == 0 ? 3600 : a->lease_s)),
		.lock_until = a->lock_s == 0 ? 0 : (uint64_t)(now + a->lock_s),
		.constraints = { .repair_at = 1 } };
	descriptor_id(d, &l->chunk);
	if (a->wrong_chunk_lease)
		l->chunk.b[0] ^= 1;
	crypto_sign_key_from_seed(&(struct key){ { 1 } }, &key, &pub);
	lease_sign(l, endpoint_net(node_endpoint(world_client(a->w))), &key, &pub);
	if (a->forged_lease)
		l->sig.b[5] ^= 1;
}

static int
send_all(struct attempt *a, struct stream *st)
{
	struct network_id net = endpoint_net(node_endpoint(world_client(a->w)));
	struct layout layout;
	struct descriptor *d = malloc(sizeof(*d));
	struct lease l;
	struct buf commit;
	uint8_t go[SHARD_GO_BYTES], lead[4], *payload;
	int err = layout_make(1, 1, a->head.chunk_bytes, &layout);

	must(err == ERR_OK && d != NULL);
	payload = calloc(1, layout.shard_bytes);
	make_commit(a, payload, d, &l);
	buf_init(&commit, SHARD_COMMIT_BYTES_MAX);
	must(shard_commit_pack(d, &l, net, &commit) == ERR_OK);
	payload[7] ^= a->flip_payload;

	struct packer p = packer_on(lead, sizeof(lead));

	pack_u32(&p, a->commit_len != 0 ? a->commit_len : (uint32_t)commit.len);
	err = stream_read(st, go, sizeof(go));
	if (err == ERR_OK)
		err = stream_write(st, bytes_of(payload, layout.shard_bytes - a->cut_payload));
	if (err == ERR_OK && a->cut_payload == 0)
		err = stream_write(st, bytes_of(lead, sizeof(lead)));
	if (err == ERR_OK && a->cut_payload == 0)
		err = stream_write(st, buf_bytes(&commit));
	if (err == ERR_OK)
		err = stream_finish(st, ERR_OK, bytes_of(NULL, 0));
	buf_reset(&commit);
	/* Writing may succeed long before the node sees what was wrong: its word is what counts. */
	err = stream_read_tail(st, &commit);
	if (err == ERR_OK)
		err = receipt_unpack(buf_bytes(&commit), net, &a->receipt);
	buf_fini(&commit);
	free(payload);
	free(d);
	return err;
}

static int
attempt_task(void *arg)
{
	struct attempt *a = arg;
	struct endpoint *ep = node_endpoint(world_client(a->w));
	struct contact to = world_contact(a->w, 0);
	struct sign_key key;
	struct stream *st;
	struct buf head;
	int err;

	buf_init(&head, KIB(1));
	crypto_sign_key_from_seed(&(struct key){ { 1 } }, &key, &a->head.lease_key);
	a->head.lease_key.b[0] ^= a->other_key;
	must(shard_put_pack(&a->head, &head) == ERR_OK);
	err = stream_open(ep, &to, METHOD_SHARD_PUT, buf_bytes(&head), &st);
	buf_fini(&head);
	if (err != ERR_OK)
		return err;
	err = send_all(a, st);
	stream_close(st);
	return err;
}

static int
attempt(struct world *w, struct attempt a)
{
	a.w = w;
	if (a.head.k == 0)
		a.head = (struct shard_put){ .k = 1, .n = 1, .chunk_bytes = 5000 };
	return world_run(w, attempt_task, &a);
}

static struct world *
one_node(void)
{
	return world_new(&(struct world_opts){ .seed = 1, .nodes = 1, .code = { 1, 1, 1 } });
}

static void
check_empty(struct world *w)
{
	struct store_status s = world_store_status(w, 0);

	ck_assert_uint_eq(s.shards, 0);
	ck_assert_uint_eq(s.writers, 0);
}

START_TEST(a_good_shard_gets_a_receipt)
{
	struct world *w = one_node();

	ck_assert_int_eq(attempt(w, (struct attempt){ 0 }), ERR_OK);
	/* Twice is no error: it is there. */
	ck_assert_int_eq(attempt(w, (struct attempt){ 0 }), ERR_OK);
	ck_assert_uint_eq(world_shards(w, 0), 1);
	world_free(w);
}
END_TEST

START_TEST(wrong_commits_leave_nothing)
{
	struct world *w = one_node();

	ck_assert_int_eq(attempt(w, (struct attempt){ .flip_payload = true }), ERR_CORRUPT);
	ck_assert_int_eq(attempt(w, (struct attempt){ .wrong_chunk_lease = true }), ERR_INVALID);
	ck_assert_int_eq(attempt(w, (struct attempt){ .forged_lease = true }), ERR_AUTH);
	ck_assert_int_eq(attempt(w, (struct attempt){ .other_key = true }), ERR_AUTH);
	ck_assert_int_eq(attempt(w, (struct attempt){ .lease_s = -2 * 86400 }), ERR_REFUSED);
	ck_assert_int_eq(attempt(w, (struct attempt){ .lease_s = 900 * 86400 }), ERR_REFUSED);
	/* It grants none; and none may outlive what it locks. */
	ck_assert_int_eq(attempt(w, (struct attempt){ .lock_s = 1800 }), ERR_UNSUPPORTED);
	ck_assert_int_eq(attempt(w, (struct attempt){ .lock_s = 3601 }), ERR_INVALID);
	ck_assert_int_eq(attempt(w, (struct attempt){ .commit_len = UINT32_MAX }), ERR_TOO_BIG);
	ck_assert_int_eq(attempt(w, (struct attempt){ .commit_len = 3 }), ERR_INVALID);
	ck_assert_int_ne(attempt(w, (struct attempt){ .cut_payload = 64 }), ERR_OK);
	check_empty(w);
	/* And the node is as well as before. */
	ck_assert_int_eq(attempt(w, (struct attempt){ 0 }), ERR_OK);
	world_free(w);
}
END_TEST

static int
head_task(void *arg)
{
	struct attempt *a = arg;
	struct contact to = world_contact(a->w, 0);
	struct buf head, tail;
	int err;

	buf_init(&head, KIB(1));
	buf_init(&tail, RPC_HEAD_BYTES_MAX);
	must(shard_put_pack(&a->head, &head) == ERR_OK);
	err = rpc_call(node_endpoint(world_client(a->w)), &to, METHOD_SHARD_PUT, buf_bytes(&head),
	    &(struct rpc_opts){ .transport = RPC_SESSION }, &tail);
	buf_fini(&head);
	buf_fini(&tail);
	return err;
}

START_TEST(wrong_heads_are_refused)
{
	struct world *w = one_node();
	static const struct shard_put wrong[] = {
		{ 2, 1, 0, 5000 },
		{ 1, 1, 1, 5000 },
		{ 1, 1, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct attempt a = { .w = w, .head = wrong[i] };

		ck_assert_int_eq(world_run(w, head_task, &a), ERR_INVALID);
	}
	check_empty(w);
	world_free(w);
}
END_TEST

/* A stored shard asked for with ranges beyond its end. */
struct ask {
	struct world *w;
	struct shard_range range;
	uint16_t method;
};

static int
ask_task(void *arg)
{
	struct ask *a = arg;
	struct contact to = world_contact(a->w, 0);
	struct buf head, tail;
	int err;

	buf_init(&head, KIB(1));
	buf_init(&tail, RPC_HEAD_BYTES_MAX);
	must(shard_range_pack(&a->range, &head) == ERR_OK);
	err = rpc_call(node_endpoint(world_client(a->w)), &to, a->method, buf_bytes(&head),
	    &(struct rpc_opts){ .transport = RPC_SESSION }, &tail);
	buf_fini(&head);
	buf_fini(&tail);
	return err;
}

START_TEST(ranges_beyond_the_shard_are_refused)
{
	struct world *w = one_node();
	struct attempt a = { .w = w, .head = { 1, 1, 0, 5000 } };
	static const uint16_t methods[] = { METHOD_SHARD_GET, METHOD_SHARD_HASHES };

	ck_assert_int_eq(world_run(w, attempt_task, &a), ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		struct ask k = { .w = w, .method = methods[i] };

		k.range = (struct shard_range){ a.receipt.chunk, 0, 1, 1 };
		ck_assert_int_eq(world_run(w, ask_task, &k), ERR_INVALID);
		k.range = (struct shard_range){ a.receipt.chunk, 0, 0, 2 };
		ck_assert_int_eq(world_run(w, ask_task, &k), ERR_INVALID);
		k.range = (struct shard_range){ a.receipt.chunk, 1, 0, 1 };
		ck_assert_int_eq(world_run(w, ask_task, &k), ERR_NOT_FOUND);
		k.range.chunk.b[0] ^= 1;
		ck_assert_int_eq(world_run(w, ask_task, &k), ERR_NOT_FOUND);
	}
	world_free(w);
}
END_TEST

/* A client that reserves room and then says nothing more: its death ends the reservation. */
static int
hold_task(void *arg)
{
	struct attempt *a = arg;
	struct contact to = world_contact(a->w, 0);
	struct stream *st[30]; /* what one network gets at once (transfers.h) */
	struct buf head;
	uint8_t go[SHARD_GO_BYTES];
	int err = ERR_OK;

	buf_init(&head, KIB(1));
	must(shard_put_pack(&a->head, &head) == ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(st); i++) {
		err = stream_open(node_endpoint(world_client(a->w)), &to, METHOD_SHARD_PUT,
		    buf_bytes(&head), &st[i]);
		must(err == ERR_OK);
		if (stream_read(st[i], go, sizeof(go)) != ERR_OK)
			a->err = ERR_FULL;
	}
	buf_fini(&head);
	for (size_t i = 0; i < ARRAY_LEN(st); i++)
		stream_close(st[i]);
	return ERR_OK;
}

START_TEST(abandoned_uploads_end)
{
	struct world *w = one_node();
	struct attempt a = { .w = w, .head = { 1, 1, 0, MIB(3) } };

	for (int round = 0; round < 5; round++) {
		ck_assert_int_eq(world_run(w, hold_task, &a), ERR_OK);
		ck_assert_int_eq(a.err, ERR_OK);
		sim_run_for(world_sim(w), SECONDS(2));
		check_empty(w);
	}
	world_free(w);
}
END_TEST

/* Clients that live, reserve room, and then neither send nor fetch: they lose their streams. */
struct stall {
	struct attempt a;
	int put_err, get_err;
	uint64_t put_took;
	size_t writers_at_first, granted;
};

static int
stall_put_task(void *arg)
{
	struct stall *t = arg;
	struct endpoint *ep = node_endpoint(world_client(t->a.w));
	struct contact to = world_contact(t->a.w, 0);
	struct stream *st;
	struct buf head;
	uint8_t go[SHARD_GO_BYTES], *some = calloc(1, MIB(1) + 1000);
	uint64_t began;
	int err;

	must(some != NULL);

	buf_init(&head, KIB(1));
	must(shard_put_pack(&t->a.head, &head) == ERR_OK);
	err = stream_open(ep, &to, METHOD_SHARD_PUT, buf_bytes(&head), &st);
	buf_reset(&head);
	must(err == ERR_OK);
	err = stream_read(st, go, sizeof(go));
	must(err == ERR_OK);
	/* Something comes, a little later again: only what follows the last bytes is silence. */
	must(stream_write(st, bytes_of(some, MIB(1))) == ERR_OK);
	must(task_sleep(endpoint_env(ep), SECONDS(20)) == ERR_OK);
	must(stream_write(st, bytes_of(some + MIB(1), 1000)) == ERR_OK);
	free(some);
	t->writers_at_first = world_store_status(t->a.w, 0).writers;
	began = env_now(endpoint_env(ep));
	t->put_err = stream_read_tail(st, &head);
	t->put_took = env_now(endpoint_env(ep)) - began;
	buf_fini(&head);
	stream_close(st);
	return ERR_OK;
}

START_TEST(silent_uploads_lose_their_writer)
{
	struct world *w = one_node();
	struct stall t = { .a = { .w = w, .head = { 1, 1, 0, MIB(3) } } };

	ck_assert_int_eq(world_run(w, stall_put_task, &t), ERR_OK);
	ck_assert_uint_eq(t.writers_at_first, 1);
	ck_assert_int_eq(t.put_err, ERR_BUSY); /* its TIMEOUT is not ours */
	ck_assert(t.put_took >= SECONDS(35) && t.put_took <= SECONDS(65));
	check_empty(w);
	ck_assert_uint_eq(service_counters(node_service(world_peer(w, 0)))->stalled, 1);
	world_free(w);
}
END_TEST

static int
stall_get_task(void *arg)
{
	struct stall *t = arg;
	struct endpoint *ep = node_endpoint(world_client(t->a.w));
	struct contact to = world_contact(t->a.w, 0);
	struct shard_range r = { t->a.receipt.chunk, 0, 0, 48 };
	struct stream *st;
	struct buf head;

	buf_init(&head, KIB(1));
	must(shard_range_pack(&r, &head) == ERR_OK);
	must(stream_open(ep, &to, METHOD_SHARD_GET, buf_bytes(&head), &st) == ERR_OK);
	buf_reset(&head);
	must(task_sleep(endpoint_env(ep), SECONDS(70)) == ERR_OK); /* fetches nothing */

	uint8_t *all = malloc(MIB(3));

	must(all != NULL);
	t->get_err = stream_read(st, all, MIB(3));
	free(all);
	buf_fini(&head);
	stream_close(st);
	return ERR_OK;
}

START_TEST(silent_readers_lose_their_stream)
{
	struct world *w = one_node();
	struct stall t = { .a = { .w = w, .head = { 1, 1, 0, MIB(3) } } };

	ck_assert_int_eq(world_run(w, attempt_task, &t.a), ERR_OK);
	ck_assert_int_eq(world_run(w, stall_get_task, &t), ERR_OK);
	ck_assert_int_eq(t.get_err, ERR_BUSY); /* its TIMEOUT is not ours */
	ck_assert_uint_eq(service_counters(node_service(world_peer(w, 0)))->stalled, 1);
	world_free(w);
}
END_TEST

/* More puts than one network gets at once: the rest are told so in time, and nothing stays. */
static int
crowd_task(void *arg)
{
	struct stall *t = arg;
	struct endpoint *ep = node_endpoint(world_client(t->a.w));
	struct contact to = world_contact(t->a.w, 0);
	struct stream *st[40];
	struct buf head;
	uint8_t go[SHARD_GO_BYTES];

	buf_init(&head, KIB(1));
	must(shard_put_pack(&t->a.head, &head) == ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(st); i++)
		must(stream_open(ep, &to, METHOD_SHARD_PUT, buf_bytes(&head), &st[i]) == ERR_OK);
	buf_fini(&head);
	t->put_err = ERR_OK;
	t->granted = 0;
	for (size_t i = 0; i < ARRAY_LEN(st); i++) {
		int err = stream_read(st[i], go, sizeof(go));

		t->writers_at_first =
		    MAX(t->writers_at_first, world_store_status(t->a.w, 0).writers);
		if (err != ERR_OK)
			t->put_err = err;
		else
			t->granted++;
	}
	for (size_t i = 0; i < ARRAY_LEN(st); i++)
		stream_close(st[i]);
	return ERR_OK;
}

START_TEST(one_network_gets_half_of_the_places)
{
	struct world *w = one_node();
	struct stall t = { .a = { .w = w, .head = { 1, 1, 0, MIB(1) } } };

	ck_assert_int_eq(world_run(w, crowd_task, &t), ERR_OK);
	ck_assert_int_eq(t.put_err, ERR_BUSY);
	ck_assert_uint_eq(t.granted, 32);
	/* Nobody has sent a byte, so no disk is taken. */
	ck_assert_uint_eq(t.writers_at_first, 0);
	ck_assert_uint_eq(world_store_status(w, 0).bytes_used, 0);
	sim_run_for(world_sim(w), SECONDS(2));
	check_empty(w);
	ck_assert_int_eq(attempt(w, (struct attempt){ 0 }), ERR_OK);
	world_free(w);
}
END_TEST

/* A lease that anybody may send, with a note that does not fit the chunk. */
struct note {
	struct world *w;
	struct hash chunk;
	uint64_t ahead_ms;
	uint8_t index;
};

static int
note_task(void *arg)
{
	const struct note *n = arg;
	struct lease_update *u = calloc(1, sizeof(*u));
	struct sign_key key;
	struct pubkey pub;
	int err;

	must(u != NULL);
	u->lease = (struct lease){ .chunk = n->chunk, .generation = 1 };
	u->lease.until = world_unix_s(world_client(n->w)) + 3600;
	u->lease.constraints.repair_at = 1;
	crypto_sign_key_from_seed(&(struct key){ { 66 } }, &key, &pub);
	lease_sign(&u->lease, endpoint_net(node_endpoint(world_client(n->w))), &key, &pub);
	u->note.sequence = world_unix_s(world_client(n->w)) * 1000 + n->ahead_ms;
	u->note.siblings.count = 1;
	u->note.siblings.at[0].index = n->index;
	err = world_send_lease(n->w, 0, u);
	free(u);
	return err;
}

static int
info_task(void *arg)
{
	const struct note *n = arg;
	struct contact to = world_contact(n->w, 0);
	struct chunk_query q = { n->chunk };
	struct siblings_note *note = calloc(1, sizeof(*note));
	uint8_t packed[2 + DESCRIPTOR_BYTES(1)];
	struct stream *st;
	struct buf head;
	int err;

	must(note != NULL);
	buf_init(&head, RPC_HEAD_BYTES_MAX);
	must(chunk_query_pack(&q, &head) == ERR_OK);
	err = stream_open(
	    node_endpoint(world_client(n->w)), &to, METHOD_CHUNK_INFO, buf_bytes(&head), &st);
	buf_reset(&head);
	if (err == ERR_OK) {
		err = stream_read(st, packed, sizeof(packed));
		if (err == ERR_OK)
			err = stream_read_tail(st, &head);
		stream_close(st);
	}
	if (err == ERR_OK)
		err = siblings_note_unpack(buf_bytes(&head), 1, note);
	buf_fini(&head);
	free(note);
	return err;
}

START_TEST(notes_that_do_not_fit_are_refused)
{
	struct world *w = one_node();
	struct attempt a = { .w = w, .head = { 1, 1, 0, 5000 } };

	ck_assert_int_eq(world_run(w, attempt_task, &a), ERR_OK);

	struct note n = { w, a.receipt.chunk, 0, 0 };

	n.index = 1; /* of a chunk that has one shard */
	ck_assert_int_eq(world_run(w, note_task, &n), ERR_INVALID);
	n.index = 254;
	ck_assert_int_eq(world_run(w, note_task, &n), ERR_INVALID);
	n.index = 0;
	n.ahead_ms = 86400 * 1000;
	ck_assert_int_eq(world_run(w, note_task, &n), ERR_REFUSED);
	n.ahead_ms = UINT64_MAX / 2;
	ck_assert_int_eq(world_run(w, note_task, &n), ERR_REFUSED);
	/* Whoever asks about the chunk still gets an answer. */
	ck_assert_int_eq(world_run(w, info_task, &n), ERR_OK);
	n.ahead_ms = 0;
	ck_assert_int_eq(world_run(w, note_task, &n), ERR_OK);
	ck_assert_int_eq(world_run(w, info_task, &n), ERR_OK);
	world_free(w);
}
END_TEST

/*
 * As many as there are places, and some more: they say that they will send, and do not. Who
 * comes from the same network is told to come again, and gets its turn.
 */
static int
stall_task(void *arg)
{
	struct attempt *a = arg;
	struct contact to = world_contact(a->w, 0);
	struct stream *st[80];
	struct buf head;
	uint8_t go[SHARD_GO_BYTES];

	buf_init(&head, KIB(1));
	must(shard_put_pack(&a->head, &head) == ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(st); i++) {
		must(stream_open(node_endpoint(world_client(a->w)), &to, METHOD_SHARD_PUT,
			 buf_bytes(&head), &st[i]) == ERR_OK);
		a->err = stream_read(st[i], go, sizeof(go));
		must(a->err == ERR_OK || a->err == ERR_BUSY);
	}
	buf_fini(&head);
	for (int i = 0; i < 20 && a->err != ERR_OK; i++)
		a->err = attempt_task(a);
	for (size_t i = 0; i < ARRAY_LEN(st); i++)
		stream_close(st[i]);
	return a->err;
}

START_TEST(stalled_uploads_give_way)
{
	struct world *w = one_node();
	struct attempt a = { .w = w, .head = { 1, 1, 0, 5000 } };
	uint64_t before = sim_now(world_sim(w));

	ck_assert_int_eq(world_run(w, stall_task, &a), ERR_OK);
	ck_assert_uint_lt(sim_now(world_sim(w)) - before, SECONDS(300));
	world_free(w);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("scenario/service");

	suite_add(s, "service", 60, a_good_shard_gets_a_receipt, wrong_commits_leave_nothing,
	    wrong_heads_are_refused, ranges_beyond_the_shard_are_refused, abandoned_uploads_end,
	    stalled_uploads_give_way, notes_that_do_not_fit_are_refused,
	    silent_uploads_lose_their_writer, silent_readers_lose_their_stream,
	    one_network_gets_half_of_the_places, NULL);
	return suite_main(s);
}
