/*
 * Messages of the DHT: the first byte chooses one, the rest is its body. What unpacks must pack,
 * and unpack to the same bytes again.
 */
#include <stdlib.h>

#include "dht/messages.h"
#include "overlay/base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Larger than any body, so that nothing is cut on the way. */
#define ROOM 16384

union any {
	struct find_node find_node;
	struct find_region find_region;
	struct nodes_reply nodes_reply;
	struct raw_records put;
	struct put_reply put_reply;
	struct get get;
	struct get_reply get_reply;
	struct bytes self;
};

static int
unpack(unsigned what, struct bytes in, union any *m)
{
	switch (what) {
	case 0:
		return find_node_unpack(in, &m->find_node);
	case 1:
		return find_region_unpack(in, &m->find_region);
	case 2:
		return nodes_reply_unpack(in, &m->nodes_reply);
	case 3:
		return put_unpack(in, &m->put);
	case 4:
		return put_reply_unpack(in, &m->put_reply);
	case 5:
		return get_unpack(in, &m->get);
	case 6:
		return get_reply_unpack(in, &m->get_reply);
	default:
		return self_reply_unpack(in, &m->self);
	}
}

static int
pack(unsigned what, const union any *m, struct buf *out)
{
	switch (what) {
	case 0:
		return find_node_pack(&m->find_node, out);
	case 1:
		return find_region_pack(&m->find_region, out);
	case 2:
		return nodes_reply_pack(&m->nodes_reply, out);
	case 3:
		return put_pack(&m->put, out);
	case 4:
		return put_reply_pack(&m->put_reply, out);
	case 5:
		return get_pack(&m->get, out);
	case 6:
		return get_reply_pack(&m->get_reply, out);
	default:
		return self_reply_pack(m->self, out);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	union any *m = calloc(1, sizeof(*m)), *again = calloc(1, sizeof(*again));
	struct buf first, second;
	unsigned what;

	buf_init(&first, ROOM);
	buf_init(&second, ROOM);
	must(m != NULL && again != NULL);
	if (size == 0)
		goto done;
	what = data[0] % 8;
	if (unpack(what, bytes_of(data + 1, size - 1), m) != ERR_OK)
		goto done;
	must(pack(what, m, &first) == ERR_OK);
	must(unpack(what, buf_bytes(&first), again) == ERR_OK);
	must(pack(what, again, &second) == ERR_OK);
	must(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
done:
	buf_fini(&first);
	buf_fini(&second);
	free(m);
	free(again);
	return 0;
}
