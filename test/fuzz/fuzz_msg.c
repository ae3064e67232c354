/*
 * Messages: whatever parses is written again from what the readers see of it, and that text
 * parses and is written again to the same bytes.
 */
#include <stdlib.h>

#include "overlay/base/err.h"
#include "overlay/base/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define KEYS           32 /* those above are "unknown keys" to this reader */
#define TEXT_BYTES_MAX 256
#define ITEMS_MAX      64
#define OUT_BYTES_MAX  MIB(4)

static void rewrite_map(const struct msg_node *map, struct msg_writer *w);

/* An array's items are numbers and bytes; other kinds become a flag. */
static void
rewrite_array(const struct msg_node *array, size_t count, struct msg_writer *w)
{
	uint64_t number;
	struct bytes bin;

	msg_put_array(w, (uint32_t)count);
	for (size_t i = 0; i < count; i++) {
		const struct msg_node *item = msg_item(array, i);

		must(item != NULL);
		if (msg_node_u64(item, UINT64_MAX, &number) == ERR_OK)
			msg_put_u64(w, number);
		else if (msg_node_bin(item, SIZE_MAX, &bin) == ERR_OK)
			msg_put_bin(w, bin);
		else
			msg_put_bool(w, true);
	}
	must(msg_item(array, count) == NULL);
}

static void
rewrite_value(const struct msg_node *map, uint32_t key, struct msg_writer *w)
{
	char text[TEXT_BYTES_MAX];
	const struct msg_node *array;
	struct bytes bin;
	uint64_t number;
	int64_t sign;
	size_t count;
	bool flag;

	msg_key(w, key);
	if (msg_get_u64(map, key, UINT64_MAX, &number) == ERR_OK)
		msg_put_u64(w, number);
	else if (msg_get_i64(map, key, &sign) == ERR_OK)
		msg_put_i64(w, sign);
	else if (msg_get_bool(map, key, &flag) == ERR_OK)
		msg_put_bool(w, flag);
	else if (msg_get_bin(map, key, SIZE_MAX, &bin) == ERR_OK)
		msg_put_bin(w, bin);
	else if (msg_get_str(map, key, text, sizeof(text)) == ERR_OK)
		msg_put_str(w, text);
	else if (msg_get_array(map, key, ITEMS_MAX, &array, &count) == ERR_OK)
		rewrite_array(array, count, w);
	else
		rewrite_map(msg_get(map, key), w);
}

/* What has no keys that we know (too long a text, say) is written as a flag: it nests no deeper. */
static void
rewrite_map(const struct msg_node *map, struct msg_writer *w)
{
	uint32_t pairs = 0;

	for (uint32_t key = 0; key < KEYS; key++)
		pairs += msg_get(map, key) != NULL;
	if (pairs == 0)
		msg_put_bool(w, false);
	else
		msg_put_map(w, pairs);
	for (uint32_t key = 0; key < KEYS; key++) {
		if (msg_get(map, key) != NULL)
			rewrite_value(map, key, w);
	}
}

static int
rewrite(struct bytes in, struct buf *out)
{
	struct msg *m;
	struct msg_writer w = msg_writer_on(out);
	int err = msg_parse(in, &m);

	if (err != ERR_OK)
		return err;
	rewrite_map(msg_root(m), &w);
	must(msg_done(&w) == ERR_OK);
	msg_free(m);
	return ERR_OK;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf once, twice;

	buf_init(&once, OUT_BYTES_MAX);
	buf_init(&twice, OUT_BYTES_MAX);
	if (rewrite(bytes_of(data, size), &once) == ERR_OK) {
		must(rewrite(buf_bytes(&once), &twice) == ERR_OK);
		must(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
	}
	buf_fini(&once);
	buf_fini(&twice);
	return 0;
}
