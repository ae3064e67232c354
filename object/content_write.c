/*
 * Bytes gather in a buffer of one chunk's plaintext. A full one goes out in a task of its own while
 * the next fills; two are in hand at most. The last block of a content is sealed differently, so
 * the last buffer goes out only by content_finish; any other as soon as it is known not to be the
 * last. What is short enough to lie in the entry, or in a pack, never makes a chunk of its own.
 */
#include "object/content_write.h"

#include <stdlib.h>

#include "object/block.h"
#include "object/content_private.h"
#include "object/packs.h"
#include "object/sse.h"

#define WRITER_BUFFERS 2
/* Two of them, with what their puts need beside, fit a budget several times over. */
#define CHUNK_USUAL    MIB(16)
/* Beyond that length full chunks are the longest: so the list of any object ends in time. */
#define CHUNK_LONG_AT  GIB(4)
/* Seals like a block in the middle: no content is as long. */
#define LENGTH_UNKNOWN (UINT64_MAX / 4)

static_assert(CHUNK_USUAL % BLOCK_SEALED == 0, "all chunks but the last are whole blocks");

struct out_buffer {
	struct content_writer *writer;
	struct budget_share share;
	struct budget_share beside; /* of what its put needs, where that was not taken with it */
	bool short_of;              /* that: it may yet be put by somebody else */
	size_t len, room;           /* of share.data */
	uint64_t first_block;       /* in the content */
	uint64_t length;            /* of the content, or LENGTH_UNKNOWN */
	size_t number;              /* of the chunk */
	bool out;                   /* its chunk is being put */
};

struct content_writer {
	struct content_write_opts opts;
	struct env *env;
	struct placing placing;
	bool placing_begun;
	struct placing_told pack_told; /* of the pack that it went into, or nothing */
	struct key key;                /* as the segment says it */
	struct key sealing;            /* the same, or mixed with the customer's */
	uint64_t taken;                /* plaintext so far */
	size_t chunk_plain;            /* of a full chunk */
	struct out_buffer buffers[WRITER_BUFFERS];
	struct out_buffer *filling; /* NULL: none */
	uint8_t carry;              /* a byte that came when it was full */
	struct task_group puts;
	struct wait ended; /* of a put */
	bool waiting;
	size_t *slots; /* in placing, by chunk number */
	size_t chunks, slots_cap;
	bool finished;
	int err; /* what ended it */
};

/* The chunks of a context may be smaller (in tests). */
static size_t
chunk_plain(const struct content_write_opts *o)
{
	bool big = o->bytes != CONTENT_BYTES_UNKNOWN && o->bytes > CHUNK_LONG_AT;
	uint64_t sealed = MIN(o->files->chunk_bytes, big ? CHUNK_BYTES_MAX : CHUNK_USUAL);

	return (size_t)(sealed / BLOCK_SEALED * BLOCK_PLAIN);
}

int
content_writer_new(const struct content_write_opts *opts, struct content_writer **out)
{
	struct content_writer *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return ERR_NOMEM;
	w->opts = *opts;
	w->env = opts->files->env;
	w->chunk_plain = chunk_plain(opts);
	if (opts->placing.lock_s > 0 || opts->customer != NULL)
		w->opts.packs = NULL;
	w->opts.may_inline &= opts->customer == NULL;
	env_random(w->env, w->key.b, sizeof(w->key.b));
	w->sealing = w->key;
	if (opts->customer != NULL)
		sse_data_key(&w->sealing, opts->customer, &w->key);
	for (size_t i = 0; i < WRITER_BUFFERS; i++)
		w->buffers[i].writer = w;
	task_group_init(&w->puts, w->env);
	*out = w;
	return ERR_OK;
}

void
content_writer_free(struct content_writer *w)
{
	if (w == NULL)
		return;
	task_group_fini(&w->puts);
	for (size_t i = 0; i < WRITER_BUFFERS; i++) {
		budget_give(&w->buffers[i].share);
		budget_give(&w->buffers[i].beside);
	}
	if (w->placing_begun) /* broken off: nobody has a content of it */
		placing_end(&w->placing, w->finished ? w->err : ERR_CANCELED);
	free(w->slots);
	crypto_wipe(w, sizeof(*w));
	free(w);
}

/* ---- a chunk on its way ---- */

static int
fill(void *arg, uint64_t offset, uint8_t *dst, size_t len)
{
	const struct out_buffer *b = arg;
	const struct content_writer *w = b->writer;
	uint64_t block = offset / BLOCK_SEALED;
	int err = ERR_OK;

	for (size_t at = 0; err == ERR_OK && at < len; at += BLOCK_SEALED, block++)
		err = placing_seal_block(w->opts.files, &w->sealing, b->length,
		    b->first_block + block, b->share.data + block * BLOCK_PLAIN, dst + at);
	return err;
}

static int
put_task(void *arg)
{
	struct out_buffer *b = arg;
	struct content_writer *w = b->writer;
	struct chunk_source source = { fill, b };
	size_t slot;
	int err = placing_put(&w->placing, block_sealed_bytes(b->len), &source, NULL, NULL, &slot);

	if (err == ERR_OK)
		w->slots[b->number] = slot;
	else if (w->err == ERR_OK)
		w->err = err;
	budget_give(&b->share);
	budget_give(&b->beside);
	b->out = false;
	if (w->waiting)
		wait_wake(&w->ended, ERR_OK);
	return err;
}

static int
grow_slots(struct content_writer *w)
{
	size_t cap = w->slots_cap == 0 ? 16 : w->slots_cap * 2;
	size_t *more;

	if (w->chunks < w->slots_cap)
		return ERR_OK;
	if (w->chunks == MANIFEST_CHUNKS_MAX)
		return ERR_TOO_BIG;
	more = realloc(w->slots, cap * sizeof(*more));
	if (more == NULL)
		return ERR_NOMEM;
	w->slots = more;
	w->slots_cap = cap;
	return ERR_OK;
}

static SUSPENDS int
begin_placing(struct content_writer *w)
{
	int err =
	    w->placing_begun ? ERR_OK : placing_init(&w->placing, w->opts.files, &w->opts.placing);

	w->placing_begun |= err == ERR_OK;
	return err;
}

/* What a put of so many plaintext bytes takes beside them. */
static SUSPENDS int
put_memory(struct content_writer *w, size_t plain, uint64_t *bytes)
{
	struct code_params code;
	int err = begin_placing(w);

	if (err != ERR_OK)
		return err;
	code = placing_code(&w->placing, block_sealed_bytes(plain));
	return chunk_put_memory(&code, block_sealed_bytes(plain), bytes);
}

/* Holding of the small kind, of the large. */
static SUSPENDS int
take_beside(struct content_writer *w, struct out_buffer *b)
{
	struct budget_need need = { .kind = BUDGET_LARGE };
	int err = b->short_of ? put_memory(w, b->len, &need.beside) : ERR_OK;

	if (err == ERR_OK && b->short_of)
		err = budget_take(w->opts.memory, &need, &b->beside);
	b->short_of &= err != ERR_OK;
	return err;
}

/* Not the last one: length is not known to it. */
static SUSPENDS int
send(struct content_writer *w, uint64_t length)
{
	struct out_buffer *b = w->filling;
	int err = grow_slots(w);

	if (err == ERR_OK)
		err = take_beside(w, b);
	if (err != ERR_OK)
		return err;
	b->length = length;
	b->number = w->chunks;
	err = task_spawn(&w->puts, "put content", put_task, b);
	if (err == ERR_OK) {
		b->out = true;
		w->chunks++;
		w->filling = NULL;
	}
	return err;
}

/* ---- buffers ---- */

static bool
fits_entry(const struct content_writer *w, uint64_t bytes)
{
	return w->opts.may_inline && bytes <= CONTENT_INLINE_MAX;
}

static bool
fits_pack(const struct content_writer *w, uint64_t bytes)
{
	return w->opts.packs != NULL && bytes <= MIN(CONTENT_PACKED_MAX, w->chunk_plain);
}

/* What will certainly lie in the entry or in a pack is put by nobody, or by somebody else. */
static bool
goes_elsewhere(const struct content_writer *w)
{
	return fits_entry(w, w->opts.bytes) || fits_pack(w, w->opts.bytes);
}

/* Of unknown length most are short: the first buffer is, too, and gives way to a full one. */
static bool
begins_small(const struct content_writer *w)
{
	return w->opts.bytes == CONTENT_BYTES_UNKNOWN && w->taken == 0;
}

static size_t
next_room(const struct content_writer *w)
{
	if (w->opts.bytes != CONTENT_BYTES_UNKNOWN)
		return (size_t)MIN(w->opts.bytes - w->taken, w->chunk_plain);
	return begins_small(w) ? MIN(CONTENT_PACKED_MAX, w->chunk_plain) : w->chunk_plain;
}

static SUSPENDS int
wait_ended(struct content_writer *w)
{
	int err;

	wait_init(&w->ended);
	w->waiting = true;
	err = wait_for(w->env, &w->ended, 0);
	w->waiting = false;
	return err != ERR_OK ? err : w->err;
}

static struct out_buffer *
idle_buffer(struct content_writer *w)
{
	for (size_t i = 0; i < WRITER_BUFFERS; i++) {
		if (!w->buffers[i].out)
			return &w->buffers[i];
	}
	return NULL;
}

static SUSPENDS int
begin_buffer(struct content_writer *w)
{
	struct budget_need need = { .kind = BUDGET_BY_SIZE };
	struct out_buffer *b;
	int err = ERR_OK;

	while (err == ERR_OK && (b = idle_buffer(w)) == NULL)
		err = wait_ended(w);
	if (err != ERR_OK)
		return err;
	b->room = next_room(w);
	b->len = 0;
	b->first_block = w->taken / BLOCK_PLAIN;
	b->short_of = begins_small(w) || goes_elsewhere(w);
	need.data_bytes = b->room;
	if (b->short_of)
		need.kind = BUDGET_SMALL;
	else
		err = put_memory(w, b->room, &need.beside);
	if (err == ERR_OK)
		err = budget_take(w->opts.memory, &need, &b->share);
	if (err == ERR_OK)
		w->filling = b;
	return err;
}

static SUSPENDS int
enlarge(struct content_writer *w)
{
	struct budget_need need = { .kind = BUDGET_LARGE, .data_bytes = w->chunk_plain };
	struct out_buffer *b = w->filling;
	struct budget_share small = b->share, full = { 0 };
	int err = put_memory(w, w->chunk_plain, &need.beside);

	if (err == ERR_OK)
		err = budget_take(w->opts.memory, &need, &full);
	if (err != ERR_OK)
		return err;
	memcpy(full.data, small.data, b->len);
	b->share = full;
	b->short_of = false;
	b->room = w->chunk_plain;
	budget_give(&small);
	return ERR_OK;
}

static SUSPENDS int
make_room(struct content_writer *w)
{
	if (w->filling == NULL)
		return begin_buffer(w);
	if (w->filling->len < w->filling->room)
		return ERR_OK;
	return w->filling->room < w->chunk_plain ? enlarge(w) : send(w, LENGTH_UNKNOWN);
}

/* A full buffer that is known not to be the last need not wait for the next byte. */
static bool
goes_out(const struct content_writer *w)
{
	return w->filling->len == w->filling->room && w->opts.bytes != CONTENT_BYTES_UNKNOWN &&
	       w->taken < w->opts.bytes;
}

/* Not while it is full: whether that is the end is known with the next byte, which it carries. */
int
content_room(struct content_writer *w, uint8_t **room, size_t *len)
{
	must(!w->finished);
	if (w->err == ERR_OK && w->filling == NULL && w->taken != w->opts.bytes)
		w->err = begin_buffer(w);
	if (w->err != ERR_OK)
		return w->err;
	if (w->filling == NULL || w->filling->len == w->filling->room) {
		*room = &w->carry;
		*len = 1;
	} else {
		*room = w->filling->share.data + w->filling->len;
		*len = w->filling->room - w->filling->len;
	}
	return ERR_OK;
}

static SUSPENDS int
place_carry(struct content_writer *w)
{
	int err = ERR_OK;

	while (err == ERR_OK && (w->filling == NULL || w->filling->len == w->filling->room))
		err = make_room(w);
	if (err == ERR_OK)
		w->filling->share.data[w->filling->len] = w->carry;
	return err;
}

int
content_filled(struct content_writer *w, size_t len)
{
	int err = ERR_OK;

	if (w->err != ERR_OK || len == 0)
		return w->err;
	if (w->opts.bytes != CONTENT_BYTES_UNKNOWN && len > w->opts.bytes - w->taken)
		err = ERR_TOO_BIG;
	else if (w->filling == NULL || w->filling->len == w->filling->room)
		err = place_carry(w);
	if (err == ERR_OK) {
		w->filling->len += len;
		w->taken += len;
		if (goes_out(w))
			err = send(w, LENGTH_UNKNOWN);
	}
	if (w->err == ERR_OK)
		w->err = err;
	return w->err;
}

int
content_write(struct content_writer *w, struct bytes data)
{
	int err = w->err;

	while (err == ERR_OK && data.len > 0) {
		uint8_t *room;
		size_t len;

		err = content_room(w, &room, &len);
		if (err != ERR_OK)
			break;
		len = MIN(len, data.len);
		memcpy(room, data.data, len);
		data = bytes_of(data.data + len, data.len - len);
		err = content_filled(w, len);
	}
	return err;
}

/* ---- the end ---- */

static struct bytes
all_in_one(const struct content_writer *w)
{
	return bytes_of(w->filling->share.data, w->filling->len);
}

static int
make_inline(const struct content_writer *w, struct content *out)
{
	struct bytes data = all_in_one(w);

	out->kind = CONTENT_INLINE;
	return buf_append(&out->list.inline_data, data.data, data.len);
}

/* All chunks are placed: what they are, in order. */
static SUSPENDS int
make_chunks(struct content_writer *w, struct content *out)
{
	struct manifest_segment s = {
		.key = w->key, .plain_bytes = w->taken, .chunks = (uint32_t)w->chunks
	};
	int err = ERR_OK;

	for (size_t i = 0; err == ERR_OK && i < w->chunks; i++)
		err = manifest_add_placed(&out->list, &w->placing.placed[w->slots[i]]);
	if (err == ERR_OK)
		err = manifest_add_segment(&out->list, &s);
	crypto_wipe(&s, sizeof(s));
	out->kind = CONTENT_CHUNKS;
	out->bytes = out->list.plain_bytes = w->taken;
	return err != ERR_OK || w->opts.whole_list ? err : content_store_list(&w->placing, out);
}

static SUSPENDS int
finish_chunks(struct content_writer *w, struct content *out)
{
	int err = begin_placing(w);

	if (err == ERR_OK && w->filling != NULL)
		err = send(w, w->taken);
	if (err == ERR_OK)
		err = task_group_wait(&w->puts, 0);
	if (err == ERR_OK)
		err = w->err;
	if (err == ERR_OK)
		err = placing_raise(&w->placing, 0);
	return err == ERR_OK ? make_chunks(w, out) : err;
}

static SUSPENDS int
finish(struct content_writer *w, struct content *out)
{
	if (w->opts.bytes != CONTENT_BYTES_UNKNOWN && w->taken != w->opts.bytes)
		return ERR_INVALID;
	out->bytes = w->taken;
	if (w->taken == 0)
		return ERR_OK;
	if (w->chunks == 0 && fits_entry(w, w->taken))
		return make_inline(w, out);
	if (w->chunks == 0 && fits_pack(w, w->taken))
		return packs_add(w->opts.packs, all_in_one(w), out, &w->pack_told);
	return finish_chunks(w, out);
}

int
content_finish(struct content_writer *w, struct content *out)
{
	must(!w->finished);
	if (w->err == ERR_OK)
		w->err = finish(w, out);
	w->finished = true;
	return w->err;
}

int
content_hand_over(struct content_writer *w, struct placing *to)
{
	must(w->finished && w->err == ERR_OK);
	if (w->placing_begun)
		w->err = placing_take(to, &w->placing);
	return w->err;
}

const struct placing_told *
content_writer_told(const struct content_writer *w)
{
	return w->placing_begun ? &w->placing.told : &w->pack_told;
}
