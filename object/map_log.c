/* A transaction is its id and result, then its writes until the next transaction or the end. */
#include "object/map_log.h"

#include "overlay/base/err.h"
#include "overlay/base/pack.h"

enum log_mark { LOG_TXN = 1, LOG_PUT, LOG_DEL };

static int
append(struct buf *out, const struct bytes *parts, size_t count)
{
	size_t len = 0;
	int err;

	for (size_t i = 0; i < count; i++)
		len += parts[i].len;
	err = buf_reserve(out, len);
	for (size_t i = 0; err == ERR_OK && i < count; i++)
		err = buf_append(out, parts[i].data, parts[i].len);
	return err;
}

int
map_log_txn(struct buf *out, const struct map_txn_id *id, struct bytes result)
{
	uint8_t head[MAP_LOG_TXN_BYTES];
	struct packer p = packer_on(head, sizeof(head));
	struct bytes parts[] = { bytes_of(head, sizeof(head)), result };

	must(result.len <= MAP_RESULT_MAX);
	pack_u8(&p, LOG_TXN);
	pack_raw(&p, id->b, sizeof(id->b));
	pack_u16(&p, (uint16_t)result.len);
	must(pack_ok(&p) && p.len == sizeof(head));
	return append(out, parts, ARRAY_LEN(parts));
}

int
map_log_put(struct buf *out, struct bytes key, struct bytes value)
{
	uint8_t head[MAP_LOG_PUT_BYTES];
	struct packer p = packer_on(head, sizeof(head));
	struct bytes parts[] = { bytes_of(head, sizeof(head)), key, value };

	pack_u8(&p, LOG_PUT);
	pack_u16(&p, (uint16_t)key.len);
	pack_u32(&p, (uint32_t)value.len);
	must(pack_ok(&p) && p.len == sizeof(head));
	return append(out, parts, ARRAY_LEN(parts));
}

int
map_log_del(struct buf *out, struct bytes key)
{
	uint8_t head[MAP_LOG_DEL_BYTES];
	struct packer p = packer_on(head, sizeof(head));
	struct bytes parts[] = { bytes_of(head, sizeof(head)), key };

	pack_u8(&p, LOG_DEL);
	pack_u16(&p, (uint16_t)key.len);
	must(pack_ok(&p) && p.len == sizeof(head));
	return append(out, parts, ARRAY_LEN(parts));
}

static int
read_txn(struct unpacker *u, const struct map_log_visitor *v)
{
	struct map_txn_id id;
	struct bytes result;

	unpack_raw(u, id.b, sizeof(id.b));
	result = unpack_lend(u, unpack_u16(u));
	if (u->failed || result.len > MAP_RESULT_MAX)
		return ERR_INVALID;
	return v == NULL ? ERR_OK : v->txn(v->arg, &id, result);
}

static int
read_write(struct unpacker *u, bool deleted, const struct map_log_visitor *v)
{
	uint16_t key_len = unpack_u16(u);
	uint32_t value_len = deleted ? 0 : unpack_u32(u);
	struct bytes key = unpack_lend(u, key_len);
	struct bytes value = unpack_lend(u, value_len);

	if (u->failed || key_len == 0 || key_len > KV_KEY_MAX || value_len > KV_VALUE_MAX)
		return ERR_INVALID;
	return v == NULL ? ERR_OK : v->write(v->arg, key, value, deleted);
}

/* v NULL: only checks. */
static int
walk(struct bytes records, const struct map_log_visitor *v)
{
	struct unpacker u = unpacker_on(records);
	bool inside = false;
	int err = ERR_OK;

	while (err == ERR_OK && unpack_left(&u) > 0) {
		uint8_t kind = unpack_u8(&u);

		if (kind == LOG_TXN)
			err = read_txn(&u, v);
		else if (inside && (kind == LOG_PUT || kind == LOG_DEL))
			err = read_write(&u, kind == LOG_DEL, v);
		else
			err = ERR_INVALID;
		inside = true;
	}
	return err;
}

int
map_log_each(struct bytes records, const struct map_log_visitor *v)
{
	int err = walk(records, NULL);

	return err != ERR_OK ? err : walk(records, v);
}

/* ---- segments ---- */

int
map_segment_seal(const struct sealing *s, uint64_t seq, struct bytes records,
    const uint8_t nonce[CRYPTO_XNONCE_BYTES], struct buf *out)
{
	uint8_t head[8];
	struct packer p = packer_on(head, sizeof(head));
	struct sealing_text text = { SEALING_RECORDS, seq, records };
	int err;

	pack_u64(&p, seq);
	err = buf_append(out, head, sizeof(head));
	return err != ERR_OK ? err : sealing_seal(s, &text, nonce, out);
}

int
map_segment_seq(struct bytes segment, uint64_t *seq)
{
	struct unpacker u = unpacker_on(segment);
	uint64_t value = unpack_u64(&u);

	if (u.failed || value == 0)
		return ERR_INVALID;
	*seq = value;
	return ERR_OK;
}

int
map_segment_open(const struct sealing *s, struct bytes segment, struct buf *records)
{
	struct sealing_text text = { .kind = SEALING_RECORDS };
	int err = map_segment_seq(segment, &text.position);

	if (err != ERR_OK)
		return err;
	text.in = bytes_of(segment.data + 8, segment.len - 8);
	return sealing_open(s, &text, records);
}

/* ---- log chunks ---- */

int
map_log_chunk_add(struct buf *out, struct bytes segment)
{
	uint8_t head[4];
	struct packer p = packer_on(head, sizeof(head));
	struct bytes parts[] = { bytes_of(head, sizeof(head)), segment };

	pack_u32(&p, (uint32_t)segment.len);
	return append(out, parts, ARRAY_LEN(parts));
}

static int
walk_chunk(
    struct bytes chunk, int (*each)(void *arg, uint64_t seq, struct bytes segment), void *arg)
{
	struct unpacker u = unpacker_on(chunk);
	uint64_t seq, last = 0;
	int err = chunk.len == 0 ? ERR_INVALID : ERR_OK;

	while (err == ERR_OK && unpack_left(&u) > 0) {
		struct bytes segment = unpack_lend(&u, unpack_u32(&u));

		err = u.failed ? ERR_INVALID : map_segment_seq(segment, &seq);
		if (err == ERR_OK && seq <= last)
			err = ERR_INVALID;
		last = seq;
		if (err == ERR_OK && each != NULL)
			err = each(arg, seq, segment);
	}
	return err;
}

int
map_log_chunk_each(
    struct bytes chunk, int (*each)(void *arg, uint64_t seq, struct bytes segment), void *arg)
{
	int err = walk_chunk(chunk, NULL, NULL);

	return err != ERR_OK ? err : walk_chunk(chunk, each, arg);
}
