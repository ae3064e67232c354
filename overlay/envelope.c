/*
 * One map with small keys, written in order of the keys. Absent: a value of zero, false or
 * nothing. Reading refuses an unknown kind, a missing id, a positive status, and what
 * msg.h refuses; unknown keys pass, so that newer senders are understood.
 */
#include "overlay/envelope.h"

#include "overlay/base/err.h"
#include "overlay/base/msg.h"

enum {
	KEY_KIND = 0,
	KEY_ID = 1,
	KEY_METHOD = 2,
	KEY_STATUS = 3,
	KEY_SENT_MS = 4,
	KEY_VERSION = 5,
	KEY_SERVER = 6,
	KEY_TOKEN = 7,
	KEY_BODY = 8,
	KEY_PADDING = 9,
};

/* A bin of up to 255 bytes costs key, type and one byte of length; above, two. */
#define PADDING_SHORT_HEAD 3
#define PADDING_LONG_HEAD  4
#define PADDING_SHORT_MAX  255

static uint32_t
pairs_of(const struct envelope *e)
{
	uint32_t pairs = 4; /* kind, id, sent_ms, version */

	pairs += e->kind == ENVELOPE_REQUEST || (e->kind == ENVELOPE_RESPONSE && e->status != 0);
	pairs += e->server;
	pairs += e->has_token;
	pairs += e->body.len > 0;
	return pairs;
}

/* How many zeros fill room bytes, key and length of the padding included. */
static size_t
padding_for(size_t room)
{
	if (room <= PADDING_SHORT_HEAD)
		return 0;
	if (room <= PADDING_LONG_HEAD + PADDING_SHORT_MAX)
		return MIN(room - PADDING_SHORT_HEAD, PADDING_SHORT_MAX);
	return room - PADDING_LONG_HEAD;
}

static void
put_fields(struct msg_writer *w, const struct envelope *e)
{
	msg_pair_u64(w, KEY_KIND, e->kind);
	msg_pair_u64(w, KEY_ID, e->id);
	if (e->kind == ENVELOPE_REQUEST)
		msg_pair_u64(w, KEY_METHOD, e->method);
	if (e->kind == ENVELOPE_RESPONSE && e->status != 0)
		msg_pair_i64(w, KEY_STATUS, e->status);
	msg_pair_u64(w, KEY_SENT_MS, e->sent_ms);
	msg_pair_u64(w, KEY_VERSION, e->version);
	if (e->server)
		msg_pair_bool(w, KEY_SERVER, true);
	if (e->has_token)
		msg_pair_bin(w, KEY_TOKEN, bytes_of(e->token, sizeof(e->token)));
	if (e->body.len > 0)
		msg_pair_bin(w, KEY_BODY, e->body);
}

int
envelope_pack(const struct envelope *e, size_t pad_to, struct buf *out)
{
	static const uint8_t zeros[ENVELOPE_PADDING_MAX];
	size_t start = out->len, used;
	struct msg_writer w = msg_writer_on(out);

	must(pad_to <= ENVELOPE_PADDING_MAX);
	msg_put_map(&w, pairs_of(e) + (pad_to > 0));
	put_fields(&w, e);
	if (msg_done(&w) != ERR_OK || pad_to == 0)
		return msg_done(&w);
	used = out->len - start;
	msg_pair_bin(&w, KEY_PADDING, bytes_of(zeros, padding_for(MAX(pad_to, used) - used)));
	return msg_done(&w);
}

/* An absent value is its zero. */
static int
optional(int err)
{
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static int
read_fields(const struct msg_node *const at[KEY_PADDING], struct envelope *e)
{
	uint64_t kind = 0, method = 0, version = 0;
	int64_t status = 0;
	int err;

	if ((err = msg_node_u64(at[KEY_KIND], ENVELOPE_RETRY, &kind)) != ERR_OK ||
	    (err = msg_node_u64(at[KEY_ID], UINT64_MAX, &e->id)) != ERR_OK ||
	    (err = msg_node_u64(at[KEY_SENT_MS], UINT64_MAX, &e->sent_ms)) != ERR_OK ||
	    (err = msg_node_u64(at[KEY_VERSION], UINT16_MAX, &version)) != ERR_OK)
		return ERR_INVALID;
	e->kind = (enum envelope_kind)kind;
	e->version = (uint16_t)version;
	err = msg_node_u64(at[KEY_METHOD], ENVELOPE_METHOD_MAX, &method);
	if (optional(err) != ERR_OK || (kind == ENVELOPE_REQUEST) != (err == ERR_OK))
		return ERR_INVALID;
	e->method = (uint16_t)method;
	err = msg_node_i64(at[KEY_STATUS], &status);
	if (optional(err) != ERR_OK || status > 0 || status < INT16_MIN ||
	    (status != 0 && kind != ENVELOPE_RESPONSE))
		return ERR_INVALID;
	e->status = (int)status;
	if (optional(msg_node_bool(at[KEY_SERVER], &e->server)) != ERR_OK)
		return ERR_INVALID;
	err = msg_node_fixed(at[KEY_TOKEN], e->token, sizeof(e->token));
	if (optional(err) != ERR_OK)
		return ERR_INVALID;
	e->has_token = err == ERR_OK;
	if (kind == ENVELOPE_RETRY && !e->has_token)
		return ERR_INVALID;
	err = msg_node_bin(at[KEY_BODY], SIZE_MAX, &e->body);
	if (optional(err) != ERR_OK)
		return ERR_INVALID;
	return ERR_OK;
}

int
envelope_unpack(struct bytes in, struct envelope *out)
{
	const struct msg_node *at[KEY_PADDING]; /* what pads is not looked at */
	struct envelope e = { 0 };
	int err = msg_read(in, at, ARRAY_LEN(at));

	if (err != ERR_OK)
		return err;
	err = read_fields(at, &e);
	if (err == ERR_OK)
		*out = e;
	return err;
}
