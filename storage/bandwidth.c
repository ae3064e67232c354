/* The time at which a bucket is full again moves on with each byte taken. */
#include "storage/bandwidth.h"

static uint64_t
time_of(uint64_t bytes, uint64_t bytes_s)
{
	const uint64_t second = UINT64_C(1000000000), micro = 1000000;

	return bytes / bytes_s * second + bytes % bytes_s * micro / bytes_s * (second / micro);
}

bool
byte_rate_limits(const struct byte_rate *r)
{
	return r->bytes_s > 0 && r->bytes_s <= RATE_MAX;
}

uint64_t
byte_rate_take(struct byte_rate *r, uint64_t now, uint64_t bytes)
{
	if (!byte_rate_limits(r))
		return 0;
	r->full_at = MAX(r->full_at, now) + time_of(bytes, r->bytes_s);
	return r->full_at > now + RATE_SAVED_NS ? r->full_at - now - RATE_SAVED_NS : 0;
}

uint64_t
bandwidth_take(struct bandwidth *b, uint64_t now, uint64_t up, uint64_t down)
{
	uint64_t wait_up = byte_rate_take(&b->up, now, up),
		 wait_down = byte_rate_take(&b->down, now, down);

	return MAX(wait_up, wait_down);
}
