/* Keys that the customer gives. */
#include "object/sse.h"

#include "object/refusal.h"
#include "overlay/base/err.h"

static void
check_of(uint8_t out[32], const struct key *customer, const uint8_t salt[16])
{
	uint8_t id[32] = { 0 };
	struct key check;

	memcpy(id, salt, 16);
	crypto_derive(&check, customer, "sse-c/check", id);
	memcpy(out, check.b, sizeof(check.b));
	crypto_wipe(&check, sizeof(check));
}

void
sse_customer_set(struct sse_customer *out, const struct key *customer, const uint8_t salt[16])
{
	memcpy(out->salt, salt, sizeof(out->salt));
	check_of(out->check, customer, salt);
}

bool
sse_customer_is(const struct sse_customer *s, const struct key *customer)
{
	uint8_t check[32];

	check_of(check, customer, s->salt);
	return crypto_equal(check, s->check, sizeof(check));
}

void
sse_data_key(struct key *out, const struct key *customer, const struct key *segment)
{
	crypto_derive(out, customer, "sse-c/data", segment->b);
}

int
sse_check(enum sse kind, const struct sse_customer *s, const struct key *customer)
{
	if ((kind == SSE_CUSTOMER) != (customer != NULL))
		return REFUSAL_SSE_MISSING;
	if (customer != NULL && !sse_customer_is(s, customer))
		return REFUSAL_SSE_WRONG;
	return ERR_OK;
}
