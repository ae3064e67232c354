/*
 * Bytes of peers become structs and back. A message that breaks a rule is ERR_INVALID as a
 * whole; a contact that cannot exist (no port, unknown family) breaks it too. Records are
 * passed on unread.
 */
#include "dht/messages.h"

#include "overlay/base/err.h"
#include "overlay/base/msg.h"

/* Keys of the maps; each message numbers its own. */
enum { NODE_TARGET = 1 };
enum { REGION_PREFIX = 1, REGION_BITS = 2, REGION_AFTER = 3 };
enum { NODES_CONTACTS = 1, NODES_MORE = 2 };
enum { PUT_RECORDS = 1 };
enum { PUT_ERRORS = 1 };
enum { GET_KEY = 1, GET_KIND = 2, GET_SKIP = 3 };
enum { GOT_RECORDS = 1, GOT_TOTAL = 2, GOT_CONTACTS = 3 };
enum { SELF_RECORD = 1 };

#define IPV4_BYTES   4
#define IPV6_BYTES   16
#define BIN_HEAD     3  /* msgpack: bin 16 with its length */
#define MAP_HEAD     1  /* fixmap */
#define SMALL_PAIR   2  /* a key and a small integer or bool */
#define ERROR_OFFSET 64 /* errors are sent as 64 + err, a small unsigned */

/* ---- contacts ---- */

static size_t
contact_bytes(const struct contact *c)
{
	return 1 + (c->addr.family == ADDR_IPV4 ? IPV4_BYTES : IPV6_BYTES) + 2 + 32;
}

/* By hand, both ways: an answer brings twenty, and most datagrams are answers. */
static void
contact_write(const struct contact *c, uint8_t *to)
{
	must(c->addr.family != ADDR_NONE);
	*to++ = c->addr.family;
	if (c->addr.family == ADDR_IPV4) {
		memcpy(to, c->addr.ip, IPV4_BYTES);
		to += IPV4_BYTES;
	} else {
		memcpy(to, c->addr.ip, IPV6_BYTES);
		to += IPV6_BYTES;
	}
	*to++ = (uint8_t)(c->addr.port >> 8);
	*to++ = (uint8_t)c->addr.port;
	memcpy(to, c->pub.b, sizeof(c->pub.b));
}

/* As one bin: at most cap bytes of contacts, the first of them. */
static void
contacts_put(struct msg_writer *w, const struct contacts *m, size_t cap)
{
	uint8_t bytes[CONTACTS_MAX * CONTACT_WIRE_BYTES];
	size_t len = 0;

	must(m->count <= CONTACTS_MAX);
	for (size_t i = 0; i < m->count && len + contact_bytes(&m->at[i]) <= cap; i++) {
		contact_write(&m->at[i], bytes + len);
		len += contact_bytes(&m->at[i]);
	}
	msg_put_bin(w, bytes_of(bytes, len));
}

/* The one that in begins with: its length, 0 when it is none. The id stays as it is. */
static size_t
contact_read(struct bytes in, struct contact *out)
{
	struct addr a = { .family = in.data[0] };
	size_t ip = a.family == ADDR_IPV4 ? IPV4_BYTES : IPV6_BYTES;
	const uint8_t *at = in.data + 1;

	if ((a.family != ADDR_IPV4 && a.family != ADDR_IPV6) ||
	    in.len < 1 + ip + 2 + sizeof(out->pub.b))
		return 0;
	if (a.family == ADDR_IPV4)
		memcpy(a.ip, at, IPV4_BYTES);
	else
		memcpy(a.ip, at, IPV6_BYTES);
	at += ip;
	a.port = (uint16_t)(at[0] << 8 | at[1]);
	if (a.port == 0)
		return 0;
	memcpy(out->pub.b, at + 2, sizeof(out->pub.b));
	out->addr = a;
	return 1 + ip + 2 + sizeof(out->pub.b);
}

static int
contacts_read(struct bytes in, struct contacts *out)
{
	out->count = 0;
	while (in.len > 0) {
		size_t len;

		if (out->count == CONTACTS_MAX)
			return ERR_INVALID;
		len = contact_read(in, &out->at[out->count]);
		if (len == 0)
			return ERR_INVALID;
		in = bytes_of(in.data + len, in.len - len);
		out->count++;
	}
	return ERR_OK;
}

static int
contacts_get(const struct msg_node *n, struct contacts *out)
{
	struct bytes bin;
	int err = msg_node_bin(n, CONTACTS_MAX * CONTACT_WIRE_BYTES, &bin);

	return err != ERR_OK ? err : contacts_read(bin, out);
}

/* What is left of out, keeping spare for what follows. */
static size_t
room(const struct buf *out, size_t spare)
{
	size_t used = out->len + spare;

	return used >= out->max ? 0 : out->max - used;
}

/* A field that must be there: an absent one is as malformed as a wrong one. */
static int
required(int err)
{
	return err == ERR_NOT_FOUND ? ERR_INVALID : err;
}

/* ---- FIND_NODE ---- */

int
find_node_pack(const struct find_node *m, struct buf *out)
{
	struct msg_writer w = msg_writer_on(out);

	msg_put_map(&w, 1);
	msg_pair_bin(&w, NODE_TARGET, bytes_of(m->target.b, sizeof(m->target.b)));
	return msg_done(&w);
}

int
find_node_unpack(struct bytes in, struct find_node *out)
{
	struct msg *msg;
	struct find_node m;
	int err = msg_parse(in, &msg);

	if (err != ERR_OK)
		return err;
	err = required(msg_get_fixed(msg_root(msg), NODE_TARGET, m.target.b, sizeof(m.target.b)));
	msg_free(msg);
	if (err == ERR_OK)
		*out = m;
	return err;
}

/* ---- FIND_REGION ---- */

int
find_region_pack(const struct find_region *m, struct buf *out)
{
	struct msg_writer w = msg_writer_on(out);

	msg_put_map(&w, m->has_after ? 3 : 2);
	msg_pair_bin(&w, REGION_PREFIX, bytes_of(m->prefix.b, sizeof(m->prefix.b)));
	msg_pair_u64(&w, REGION_BITS, m->bits);
	if (m->has_after)
		msg_pair_bin(&w, REGION_AFTER, bytes_of(m->after.b, sizeof(m->after.b)));
	return msg_done(&w);
}

static int
find_region_read(const struct msg_node *map, struct find_region *out)
{
	uint64_t bits;
	int err = required(msg_get_fixed(map, REGION_PREFIX, out->prefix.b, sizeof(out->prefix.b)));

	if (err == ERR_OK)
		err = required(msg_get_u64(map, REGION_BITS, 256, &bits));
	if (err != ERR_OK)
		return err;
	out->bits = (uint16_t)bits;
	err = msg_get_fixed(map, REGION_AFTER, out->after.b, sizeof(out->after.b));
	out->has_after = err == ERR_OK;
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

int
find_region_unpack(struct bytes in, struct find_region *out)
{
	struct msg *msg;
	struct find_region m = { .bits = 0 };
	int err = msg_parse(in, &msg);

	if (err != ERR_OK)
		return err;
	err = find_region_read(msg_root(msg), &m);
	msg_free(msg);
	if (err == ERR_OK)
		*out = m;
	return err;
}

/* ---- replies with nodes ---- */

int
nodes_reply_pack(const struct nodes_reply *m, struct buf *out)
{
	struct msg_writer w = msg_writer_on(out);
	size_t cap = room(out, MAP_HEAD + 1 + BIN_HEAD + SMALL_PAIR), bytes = 0;
	bool cut = false;

	for (size_t i = 0; i < m->contacts.count && !cut; i++) {
		bytes += contact_bytes(&m->contacts.at[i]);
		cut = bytes > cap;
	}
	/* All at once; too little memory shows when it is written. */
	(void)buf_reserve(out, MIN(bytes, cap) + room(out, 0) - cap);
	msg_put_map(&w, 2);
	msg_key(&w, NODES_CONTACTS);
	contacts_put(&w, &m->contacts, cap);
	/* Those that did not fit are further ones, too. */
	msg_pair_bool(&w, NODES_MORE, m->more || cut);
	return msg_done(&w);
}

int
nodes_reply_unpack(struct bytes in, struct nodes_reply *out)
{
	const struct msg_node *at[NODES_MORE + 1];
	int err = msg_read(in, at, ARRAY_LEN(at));

	if (err != ERR_OK)
		return err;
	err = required(contacts_get(at[NODES_CONTACTS], &out->contacts));
	if (err == ERR_OK)
		err = required(msg_node_bool(at[NODES_MORE], &out->more));
	return err;
}

/* ---- records ---- */

static void
records_write(struct msg_writer *w, const struct raw_records *m, size_t count)
{
	msg_put_array(w, (uint32_t)count);
	for (size_t i = 0; i < count; i++)
		msg_put_bin(w, m->at[i]);
}

static int
records_read(const struct msg_node *map, uint32_t key, struct raw_records *out)
{
	const struct msg_node *array;
	int err = required(msg_get_array(map, key, RECORDS_MAX, &array, &out->count));

	for (size_t i = 0; err == ERR_OK && i < out->count; i++)
		err = msg_node_bin(msg_item(array, i), RECORD_BYTES_MAX, &out->at[i]);
	return err;
}

size_t
put_bytes(const struct raw_records *m)
{
	size_t bytes = MAP_HEAD + 1 + 1;

	for (size_t i = 0; i < m->count; i++)
		bytes += BIN_HEAD + m->at[i].len;
	return bytes;
}

int
put_pack(const struct raw_records *m, struct buf *out)
{
	struct msg_writer w = msg_writer_on(out);

	must(m->count <= RECORDS_MAX);
	msg_put_map(&w, 1);
	msg_key(&w, PUT_RECORDS);
	records_write(&w, m, m->count);
	return msg_done(&w);
}

int
put_unpack(struct bytes in, struct raw_records *out)
{
	struct msg *msg;
	int err = msg_parse(in, &msg);

	if (err != ERR_OK)
		return err;
	err = records_read(msg_root(msg), PUT_RECORDS, out);
	msg_free(msg);
	return err;
}

int
put_reply_pack(const struct put_reply *m, struct buf *out)
{
	struct msg_writer w = msg_writer_on(out);

	must(m->count <= RECORDS_MAX);
	msg_put_map(&w, 1);
	msg_key(&w, PUT_ERRORS);
	msg_put_array(&w, (uint32_t)m->count);
	for (size_t i = 0; i < m->count; i++)
		msg_put_u64(&w, (uint64_t)(ERROR_OFFSET + m->err[i]));
	return msg_done(&w);
}

int
put_reply_unpack(struct bytes in, struct put_reply *out)
{
	const struct msg_node *array;
	struct msg *msg;
	int err = msg_parse(in, &msg);

	if (err != ERR_OK)
		return err;
	err = required(msg_get_array(msg_root(msg), PUT_ERRORS, RECORDS_MAX, &array, &out->count));
	for (size_t i = 0; err == ERR_OK && i < out->count; i++) {
		uint64_t v;

		err = msg_node_u64(msg_item(array, i), ERROR_OFFSET, &v);
		if (err == ERR_OK)
			out->err[i] = (int)v - ERROR_OFFSET;
	}
	msg_free(msg);
	return err;
}

/* ---- GET ---- */

int
get_pack(const struct get *m, struct buf *out)
{
	struct msg_writer w = msg_writer_on(out);

	msg_put_map(&w, 3);
	msg_pair_bin(&w, GET_KEY, bytes_of(m->key.b, sizeof(m->key.b)));
	msg_pair_u64(&w, GET_KIND, m->kind);
	msg_pair_u64(&w, GET_SKIP, m->skip);
	return msg_done(&w);
}

int
get_unpack(struct bytes in, struct get *out)
{
	struct msg *msg;
	struct id key;
	uint64_t kind, skip;
	int err = msg_parse(in, &msg);

	if (err != ERR_OK)
		return err;
	err = required(msg_get_fixed(msg_root(msg), GET_KEY, key.b, sizeof(key.b)));
	if (err == ERR_OK)
		err = required(msg_get_u64(msg_root(msg), GET_KIND, RECORD_SIGNED, &kind));
	if (err == ERR_OK)
		err = required(msg_get_u64(msg_root(msg), GET_SKIP, UINT8_MAX, &skip));
	msg_free(msg);
	if (err == ERR_OK && kind < RECORD_PEER)
		err = ERR_INVALID;
	if (err != ERR_OK)
		return err;
	*out = (struct get){ .key = key, .kind = (enum record_kind)kind, .skip = (uint8_t)skip };
	return ERR_OK;
}

int
get_reply_pack(const struct get_reply *m, struct buf *out)
{
	struct msg_writer w = msg_writer_on(out);
	/* Map, two keys and heads, the total as uint 8, and the contacts' key and head. */
	size_t left = room(out, MAP_HEAD + 1 + 1 + 1 + 2 + 1 + BIN_HEAD), fit = 0;

	must(m->records.count <= RECORDS_MAX);
	while (fit < m->records.count && BIN_HEAD + m->records.at[fit].len <= left)
		left -= BIN_HEAD + m->records.at[fit++].len;
	msg_put_map(&w, 3);
	msg_key(&w, GOT_RECORDS);
	records_write(&w, &m->records, fit);
	msg_pair_u64(&w, GOT_TOTAL, m->total);
	msg_key(&w, GOT_CONTACTS);
	contacts_put(&w, &m->contacts, left);
	return msg_done(&w);
}

int
get_reply_unpack(struct bytes in, struct get_reply *out)
{
	struct msg *msg;
	uint64_t total;
	int err = msg_parse(in, &msg);

	if (err != ERR_OK)
		return err;
	err = records_read(msg_root(msg), GOT_RECORDS, &out->records);
	if (err == ERR_OK)
		err = required(msg_get_u64(msg_root(msg), GOT_TOTAL, UINT8_MAX, &total));
	if (err == ERR_OK)
		err = required(contacts_get(msg_get(msg_root(msg), GOT_CONTACTS), &out->contacts));
	if (err == ERR_OK)
		out->total = (uint8_t)total;
	msg_free(msg);
	return err;
}

/* ---- PING, SELF ---- */

int
ping_pack(struct buf *out)
{
	struct msg_writer w = msg_writer_on(out);

	msg_put_map(&w, 0);
	return msg_done(&w);
}

int
self_reply_pack(struct bytes peer_record, struct buf *out)
{
	struct msg_writer w = msg_writer_on(out);

	msg_put_map(&w, 1);
	msg_pair_bin(&w, SELF_RECORD, peer_record);
	return msg_done(&w);
}

int
self_reply_unpack(struct bytes in, struct bytes *peer_record)
{
	struct msg *msg;
	int err = msg_parse(in, &msg);

	if (err != ERR_OK)
		return err;
	err = required(msg_get_bin(msg_root(msg), SELF_RECORD, RECORD_BYTES_MAX, peer_record));
	msg_free(msg);
	return err;
}
