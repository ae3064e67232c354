/* Names of versions: made, written, read. */
#include "object/version.h"

#include "object/refusal.h"
#include "overlay/base/crypto.h"
#include "overlay/base/err.h"
#include "overlay/base/pack.h"

/* Below a millisecond there is room for a million versions of one key. */
#define VERSION_STEP_BITS 20

static uint64_t
stamp(const struct version *v)
{
	struct unpacker u = unpacker_on(bytes_of(v->b, 8));

	return ~unpack_u64(&u);
}

struct version
version_next(const struct version *newest, uint64_t now_ms, const uint8_t random[8])
{
	struct version v;
	struct packer p = packer_on(v.b, sizeof(v.b));
	uint64_t at = MIN(now_ms, UINT64_MAX >> (VERSION_STEP_BITS + 1)) << VERSION_STEP_BITS;

	/* A clock that went back does not put new ones behind old ones. */
	if (newest != NULL && at <= stamp(newest) && stamp(newest) < UINT64_MAX)
		at = stamp(newest) + 1;
	pack_u64(&p, ~at);
	pack_raw(&p, random, 8);
	must(pack_ok(&p));
	return v;
}

uint64_t
version_ms(const struct version *v)
{
	return stamp(v) >> VERSION_STEP_BITS;
}

bool
version_equal(const struct version *a, const struct version *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

int
version_parse(struct bytes text, struct version_ref *out)
{
	struct version_ref ref = { .which = VERSION_LATEST };

	if (text.data == NULL) {
		*out = ref;
		return ERR_OK;
	}
	if (bytes_equal(text, bytes_of("null", 4))) {
		ref.which = VERSION_NULL;
		*out = ref;
		return ERR_OK;
	}
	ref.which = VERSION_ID;
	if (hex_decode(ref.id.b, sizeof(ref.id.b), (const char *)text.data, text.len) != ERR_OK)
		return REFUSAL_BAD_VERSION;
	*out = ref;
	return ERR_OK;
}

const char *
version_text(bool null, const struct version *v, char out[VERSION_TEXT_MAX])
{
	if (null)
		memcpy(out, "null", sizeof("null"));
	else
		hex_encode(out, v->b, sizeof(v->b));
	return out;
}
