/*
 * The table of registers, and the methods by which others reach it. A message comes over a stream:
 * its place is waited for, then it is read, unpacked and answered. Methods that only look something
 * up answer at once.
 */
#include "storage/registers.h"

#include <stdlib.h>

#include "overlay/base/buf.h"
#include "storage/keeper_times.h"
#include "storage/registers_private.h"
#include "storage/store_values.h"

/* A store that did not give its registers is asked again after this. */
#define LOAD_AGAIN    SECONDS(10)
/* What is answered takes a few syncs and, in a replacement, other nodes' answers. */
#define ANSWER_WITHIN SECONDS(60)

/* ---- the table ---- */

static size_t
place_of(const struct registers *r, const struct hash *bucket)
{
	size_t from = 0, to = r->count;

	while (from < to) {
		size_t mid = from + (to - from) / 2;

		if (memcmp(&r->at[mid]->bucket, bucket, sizeof(*bucket)) < 0)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

struct register_entry *
registers_find(const struct registers *r, const struct hash *bucket)
{
	size_t i = place_of(r, bucket);

	return i < r->count && hash_equal(&r->at[i]->bucket, bucket) ? r->at[i] : NULL;
}

/* The one behind it; NULL: none. */
struct register_entry *
registers_after(const struct registers *r, const struct hash *bucket)
{
	size_t i = place_of(r, bucket);

	i += i < r->count && hash_equal(&r->at[i]->bucket, bucket);
	return i < r->count ? r->at[i] : NULL;
}

/* Whether somebody vouches; the admission knows all of its owners from the start. */
static bool
vouched(const struct registers *r, const struct register_entry *e)
{
	struct lease_note note = { .granted = e->granted, .grant = e->grant };
	static const struct pubkey nobody;
	struct admitted to;

	return r->opts.admission == NULL ||
	       (admission_admit(r->opts.admission,
		    &(struct admission_ask){ .lease_key = &e->charter.owner, .note = &note },
		    &to) == ERR_OK &&
		   !pubkey_equal(&to.note.owner, &nobody));
}

static void
entry_begun(struct registers *r, struct register_entry *e)
{
	e->vouched = vouched(r, e);
	e->moved_at = entry_member(r, e) ? 0 : env_now(r->env);
	registers_health_reset(r, e);
	if (r->loaded)
		registers_mend_wake(r);
}

void
registers_begin_again(
    struct registers *r, struct register_entry *e, const struct register_entry *as)
{
	e->state = as->state;
	e->charter = as->charter;
	e->granted = as->granted;
	e->grant = as->grant;
	entry_begun(r, e);
}

int
registers_insert(struct registers *r, struct register_entry *e)
{
	size_t i = place_of(r, &e->bucket);

	if (r->count == r->room) {
		size_t room = r->room == 0 ? 8 : 2 * r->room;
		struct register_entry **at = realloc(r->at, room * sizeof(*at));

		if (at == NULL) {
			free(e);
			return ERR_NOMEM;
		}
		r->at = at;
		r->room = room;
	}
	semaphore_init(&e->gate, 1);
	entry_begun(r, e);
	memmove(&r->at[i + 1], &r->at[i], (r->count - i) * sizeof(r->at[0]));
	r->at[i] = e;
	r->count++;
	return ERR_OK;
}

void
registers_remove(struct registers *r, struct register_entry *e)
{
	size_t i = place_of(r, &e->bucket);

	must(i < r->count && r->at[i] == e && e->users == 0);
	r->count--;
	memmove(&r->at[i], &r->at[i + 1], (r->count - i) * sizeof(r->at[0]));
	free(e);
}

bool
entry_sealed(const struct register_entry *e)
{
	return e->state.handed && e->state.handover.stop.next.number == e->state.conf.number + 1;
}

bool
entry_member(const struct registers *r, const struct register_entry *e)
{
	return !entry_sealed(e) && e->state.self.incarnation == r->incarnation;
}

uint64_t
registers_time(const struct registers *r, uint64_t documented)
{
	return MAX(documented / MAX(r->opts.pace, (uint64_t)1), TIME_FLOOR);
}

/* ---- whose are taken ---- */

static int
stranger_room(const struct registers *r)
{
	size_t strangers = 0;

	for (size_t i = 0; i < r->count; i++)
		strangers += !r->at[i]->vouched;
	return strangers < REGISTERS_STRANGERS ? ERR_OK : ERR_QUOTA;
}

int
registers_admit(const struct registers *r, const struct pubkey *owner, const struct grant *grant,
    uint64_t group)
{
	struct lease_note note = { .granted = grant != NULL };
	struct admitted admitted;
	struct store_status s;
	int err;

	if (!r->loaded)
		return ERR_BUSY;
	if (r->opts.keeper != NULL && !keeper_takes_shards(r->opts.keeper))
		return ERR_BUSY;
	store_status(r->opts.store, &s);
	if (s.refusing || s.bytes_used >= s.capacity ||
	    s.capacity - s.bytes_used < TAIL_BYTES_MAX || r->count >= REGISTERS_MAX)
		return ERR_FULL;
	if (r->opts.admission == NULL)
		return ERR_OK;
	if (grant != NULL)
		note.grant = *grant;
	err = admission_admit(r->opts.admission,
	    &(struct admission_ask){
		.lease_key = owner, .note = &note, .group = group, .bytes = TAIL_BYTES_MAX },
	    &admitted);
	if (err == ERR_OK && admitted.note.group != 0)
		err = stranger_room(r);
	return err;
}

/* ---- methods ---- */

static int
serve_message(void *arg, struct stream *st, const struct rpc_request *req)
{
	struct registers *r = arg;
	struct transfer place;
	struct buf reply;
	uint64_t old;
	size_t len;
	int err;

	if (req->body.len != 1 || req->body.data[0] != 1)
		return ERR_VERSION;
	if (!r->loaded)
		return ERR_BUSY;
	err = transfer_begin(r->places, st, &place);
	if (err != ERR_OK)
		return err;
	buf_init(&reply, REGISTER_BYTES_MAX);
	old = task_deadline(r->env, env_now(r->env) + transfers_patience(r->places));
	err = register_read_length(st, &len);
	if (err == ERR_OK)
		err = stream_read(st, place.buffer, len);
	task_deadline_restore(r->env, old);
	old = task_deadline(r->env, env_now(r->env) + ANSWER_WITHIN);
	if (err == ERR_OK)
		err = registers_answer(r, bytes_of(place.buffer, len), &reply);
	if (err == ERR_OK)
		err = register_write(st, buf_bytes(&reply));
	if (err == ERR_OK)
		err = stream_finish(st, ERR_OK, bytes_of(NULL, 0));
	task_deadline_restore(r->env, old);
	buf_fini(&reply);
	transfer_end(r->places, &place);
	return err;
}

static int
serve_offer(void *arg, struct stream *st, const struct rpc_request *req)
{
	struct registers *r = arg;
	struct anchor_offer o = { .incarnation = 0 };
	struct pubkey owner;
	struct grant grant;
	uint8_t packed[OFFER_BYTES];
	bool granted;
	int err = offer_ask_unpack(req->body, &owner, &granted, &grant);

	if (err == ERR_OK)
		err = registers_incarnate(r);
	if (err != ERR_OK)
		return err;
	o.incarnation = r->incarnation;
	o.leaving = r->opts.keeper != NULL && keeper_leaves(r->opts.keeper);
	o.refusal =
	    registers_admit(r, &owner, granted ? &grant : NULL, addr_group(&stream_peer(st)->addr));
	offer_pack(&o, packed);
	return stream_finish(st, ERR_OK, bytes_of(packed, sizeof(packed)));
}

static int
serve_found(void *arg, struct stream *st, const struct rpc_request *req)
{
	struct registers *r = arg;
	struct charter *c = malloc(sizeof(*c));
	struct grant grant;
	bool granted;
	int err = c == NULL ? ERR_NOMEM : found_unpack(req->body, r->net, c, &granted, &grant);

	if (err == ERR_OK)
		err = registers_found(
		    r, c, granted ? &grant : NULL, addr_group(&stream_peer(st)->addr));
	free(c);
	return err == ERR_OK ? stream_finish(st, ERR_OK, bytes_of(NULL, 0)) : err;
}

static SUSPENDS int
give_part(struct stream *st, struct bytes part)
{
	uint8_t length[2] = { (uint8_t)(part.len >> 8), (uint8_t)part.len };
	int err = stream_write(st, bytes_of(length, sizeof(length)));

	return err == ERR_OK ? stream_write(st, part) : err;
}

static SUSPENDS int
give_chain(struct registers *r, struct stream *st, const struct register_entry *e, uint64_t epoch,
    uint32_t number)
{
	uint8_t charter[FOUND_BYTES_MAX];
	const struct acceptor *s = &e->state;
	struct charter c = e->charter;
	uint32_t last = s->handed ? s->handover.stop.next.number : 0;
	struct buf handover;
	int err = give_part(
	    st, bytes_of(charter, found_pack(&c, e->granted ? &e->grant : NULL, r->net, charter)));

	buf_init(&handover, STORE_VALUE_MAX);
	for (uint32_t n = epoch == c.epoch ? number + 1 : 1; n <= last && err == ERR_OK; n++) {
		err = kept_handover(r, &c.bucket, c.epoch, n, &handover);
		if (err == ERR_OK)
			err = give_part(st, buf_bytes(&handover));
	}
	buf_fini(&handover);
	return err == ERR_OK ? stream_finish(st, ERR_OK, bytes_of(NULL, 0)) : err;
}

static int
serve_charter(void *arg, struct stream *st, const struct rpc_request *req)
{
	struct registers *r = arg;
	struct register_entry *e;
	struct hash bucket;
	uint64_t epoch, old;
	uint32_t number;
	int err = chain_ask_unpack(req->body, &bucket, &epoch, &number);

	if (err != ERR_OK)
		return err;
	if (!r->loaded)
		return ERR_BUSY;
	e = registers_find(r, &bucket);
	if (e == NULL)
		return ERR_NOT_FOUND;
	e->users++;
	old = task_deadline(r->env, env_now(r->env) + ANSWER_WITHIN);
	err = give_chain(r, st, e, epoch, number);
	task_deadline_restore(r->env, old);
	e->users--;
	return err;
}

/* ---- sight ---- */

uint64_t
registers_incarnation(const struct registers *r)
{
	return r->loaded ? r->incarnation : 0;
}

size_t
registers_anchored(const struct registers *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->count; i++)
		n += entry_member(r, r->at[i]);
	return n;
}

void
registers_status(const struct registers *r, struct registers_status *out)
{
	*out = r->counters;
	out->loaded = r->loaded;
	out->anchored = registers_anchored(r);
	out->moved = r->count - out->anchored;
	out->silent = r->silent;
	for (size_t i = 0; i < r->count; i++)
		for (uint16_t j = 0; j < r->at[i]->state.tail.count; j++)
			out->tail_bytes += r->at[i]->state.tail.at[j].bytes;
}

int
registers_state(const struct registers *r, const struct hash *bucket, const struct acceptor **out)
{
	const struct register_entry *e = registers_find(r, bucket);

	if (e == NULL)
		return ERR_NOT_FOUND;
	*out = &e->state;
	return ERR_OK;
}

/* ---- assembly ---- */

/* Asked by a node that leaves, so it is time to give them away. */
static size_t
left_to_leave(void *arg)
{
	struct registers *r = arg;

	if (r->loaded && keeper_leaves(r->opts.keeper) && registers_anchored(r) > 0)
		registers_mend_soon(r);
	/* What cannot be read may be a register that others count on. */
	return r->loaded ? registers_anchored(r) : 1;
}

int
registers_new(const struct registers_opts *opts, struct registers **out)
{
	struct registers *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return ERR_NOMEM;
	r->opts = *opts;
	r->env = endpoint_env(opts->endpoint);
	r->net = endpoint_net(opts->endpoint);
	r->places = transfers_new(r->env, REGISTER_BYTES_MAX, REGISTER_PLACES);
	if (r->places == NULL) {
		free(r);
		return ERR_NOMEM;
	}
	semaphore_init(&r->taking, 1);
	task_group_init(&r->group, r->env);
	registers_mend_init(r);
	if (opts->keeper != NULL)
		keeper_on_leave(opts->keeper, left_to_leave, r);
	endpoint_add_stream_method(
	    opts->endpoint, &(struct stream_method){ METHOD_REGISTER, serve_message, r });
	endpoint_add_stream_method(
	    opts->endpoint, &(struct stream_method){ METHOD_ANCHOR_OFFER, serve_offer, r });
	endpoint_add_stream_method(
	    opts->endpoint, &(struct stream_method){ METHOD_REGISTER_FOUND, serve_found, r });
	endpoint_add_stream_method(
	    opts->endpoint, &(struct stream_method){ METHOD_REGISTER_CHARTER, serve_charter, r });
	*out = r;
	return ERR_OK;
}

static SUSPENDS int
load(struct registers *r)
{
	int err = registers_read_all(r);

	if (err != ERR_OK) {
		while (r->count > 0)
			registers_remove(r, r->at[r->count - 1]);
		return err;
	}
	r->loaded = true;
	if (r->count > 0)
		registers_mend_wake(r);
	return ERR_OK;
}

static int
load_task(void *arg)
{
	struct registers *r = arg;
	int err = ERR_OK;

	while (err != ERR_CANCELED && !r->loaded) {
		err = task_sleep(r->env, LOAD_AGAIN);
		if (err == ERR_OK)
			err = load(r);
	}
	return err;
}

void
registers_load(struct registers *r)
{
	int err = load(r);

	if (err == ERR_OK || err == ERR_CANCELED)
		return;
	log_error(r->env, "the head registers cannot be read yet: %s", err_text(err));
	if (task_spawn(&r->group, "load registers", load_task, r) != ERR_OK)
		log_error(r->env, "and will not be until the next start");
}

void
registers_shutdown(struct registers *r, void (*done)(void *arg), void *arg)
{
	r->stopped = true;
	registers_mend_stop(r);
	if (r->opts.keeper != NULL)
		keeper_on_leave(r->opts.keeper, NULL, NULL);
	task_group_shutdown(&r->group, done, arg);
}

void
registers_free(struct registers *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->count; i++)
		free(r->at[i]);
	free(r->at);
	chunks_free(r->chunks);
	transfers_free(r->places);
	free(r);
}
