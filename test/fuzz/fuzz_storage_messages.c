/*
 * Messages of the storage protocol: the first byte says which, the rest is it. What unpacks packs,
 * and then unpacks to the same. Signed fields pass only where the corpus brings a signature.
 */
#include <stdlib.h>

#include "storage/holds.h"
#include "storage/messages.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct network_id net = { { 1, 2, 3, 4 } };

/* On the heap: the larger ones are not for a stack. What is packed again is packed alike. */
#define ROUND_TRIP(type, unpacked, packed)                                                         \
	do {                                                                                       \
		struct type *m = malloc(sizeof(*m));                                               \
		must(m != NULL);                                                                   \
		if ((unpacked) == ERR_OK) {                                                        \
			must((packed) == ERR_OK);                                                  \
			once = out;                                                                \
			in = buf_bytes(&once);                                                     \
			buf_init(&out, 16384);                                                     \
			must((unpacked) == ERR_OK);                                                \
			must((packed) == ERR_OK);                                                  \
			must(out.len == once.len);                                                 \
			must(memcmp(out.data, once.data, out.len) == 0);                           \
		}                                                                                  \
		free(m);                                                                           \
	} while (0)

static void
siblings_round_trip(struct bytes in)
{
	struct siblings *s = calloc(1, sizeof(*s));
	uint8_t *again = malloc(SHARDS_MAX * SIBLING_BYTES);

	must(s != NULL && again != NULL);
	if (siblings_unpack(in, SHARDS_MAX, s) == ERR_OK) {
		must(siblings_pack(s, again) == in.len);
		must(in.len == 0 || memcmp(again, in.data, in.len) == 0);
	}
	free(s);
	free(again);
}

static void
commit_round_trip(struct bytes in, struct buf *out)
{
	struct descriptor *d = calloc(1, sizeof(*d));
	struct lease l;

	must(d != NULL);
	if (shard_commit_unpack(in, net, d, &l) == ERR_OK) {
		must(shard_commit_pack(d, &l, net, out) == ERR_OK);
		must(out->len == in.len && memcmp(out->data, in.data, in.len) == 0);
	}
	free(d);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in;
	struct buf out, once;

	must(crypto_init() == ERR_OK);
	if (size == 0)
		return 0;
	in = bytes_of(data + 1, size - 1);
	buf_init(&out, 16384);
	buf_init(&once, 0);
	switch (data[0] % 10) {
	case 0:
		ROUND_TRIP(chunk_query, chunk_query_unpack(in, m), chunk_query_pack(m, &out));
		break;
	case 1:
		ROUND_TRIP(chunk_have, chunk_have_unpack(in, m), chunk_have_pack(m, &out));
		break;
	case 2:
		ROUND_TRIP(shard_put, shard_put_unpack(in, m), shard_put_pack(m, &out));
		break;
	case 3:
		ROUND_TRIP(shard_range, shard_range_unpack(in, m), shard_range_pack(m, &out));
		break;
	case 4:
		ROUND_TRIP(siblings_note, siblings_note_unpack(in, SHARDS_MAX, m),
		    siblings_note_pack(m, &out));
		break;
	case 5:
		ROUND_TRIP(
		    lease_update, lease_update_unpack(in, net, m), lease_update_pack(m, net, &out));
		break;
	case 6:
		siblings_round_trip(in);
		break;
	case 7:
		commit_round_trip(in, &out);
		break;
	case 8:
		ROUND_TRIP(holds, holds_unpack(in, m), holds_pack(m, &out));
		break;
	default:
		ROUND_TRIP(holds_reply, holds_reply_unpack(in, m), holds_reply_pack(m, &out));
	}
	buf_fini(&out);
	buf_fini(&once);
	return 0;
}
