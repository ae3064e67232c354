/*
 * Records from outside: whatever the bytes, record_read refuses them or gives them back unchanged,
 * and what it lets through can be opened. As no mutation keeps a signature, the layouts are
 * opened without it as well. The network is that of the corpus.
 */
#include <stdlib.h>

#include "dht/record.h"
#include "overlay/base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct network_id net = { { 1, 2, 3, 4 } };
	struct record r = { .len = 0 };
	struct signed_value v;
	struct location l;

	if (record_read(bytes_of(data, size), net, &r) == ERR_OK) {
		must(r.len == size && memcmp(r.bytes, data, size) == 0);
		must(r.kind != RECORD_LOCATION || location_open(&r, &l) == ERR_OK);
		must(r.kind != RECORD_SIGNED || signed_open(&r, &v) == ERR_OK);
	}
	if (size > RECORD_BYTES_MAX)
		return 0;
	memcpy(r.bytes, data, size);
	r.len = (uint16_t)size;
	r.kind = RECORD_LOCATION;
	if (location_open(&r, &l) == ERR_OK)
		must(l.count > 0 && l.count <= RECORD_HOLDERS_MAX);
	r.kind = RECORD_SIGNED;
	if (signed_open(&r, &v) == ERR_OK)
		must(v.len <= RECORD_SIGNED_VALUE_MAX);
	return 0;
}
