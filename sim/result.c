/* A result is plain data; only its samples are allocated. Short of memory a simulation aborts. */
#include "sim/result.h"

#include <stdlib.h>

#include "overlay/base/err.h"

void
result_init(struct result *r)
{
	static const unsigned paths[RESULT_PATHS] = { 1, 2, 4 };

	memset(r, 0, sizeof(*r));
	r->samples = calloc(RESULT_SAMPLES + 1, sizeof(*r->samples));
	must(r->samples != NULL);
	for (size_t i = 0; i < RESULT_PATHS; i++)
		r->paths[i].paths = paths[i];
}

void
result_fini(struct result *r)
{
	free(r->samples);
	r->samples = NULL;
	r->samples_count = 0;
}

uint64_t
result_sent_bytes(const struct result *r, enum traffic_class class)
{
	uint64_t sum = 0;

	for (size_t i = 1; i < r->samples_count; i++) /* the first has nothing before it */
		sum += r->samples[i].sent_bytes[class];
	return sum;
}

uint64_t
result_sampled_node_ms(const struct result *r)
{
	uint64_t sum = 0;

	for (size_t i = 1; i < r->samples_count; i++) {
		const struct result_sample *s = &r->samples[i];
		uint64_t up = (uint64_t)s[-1].up + s->up;

		if (s->at > s[-1].at)
			sum += up * ((s->at - s[-1].at) / MILLISECONDS(1)) / 2;
	}
	return sum;
}

uint64_t
result_risk_end(size_t bin)
{
	uint64_t end = SECONDS(10);

	if (bin == 0)
		return 0;
	for (size_t i = 1; i < bin; i++)
		end *= 3;
	return bin + 1 < RESULT_RISK_BINS ? end : UINT64_MAX;
}

size_t
result_risk_bin(uint64_t ns)
{
	size_t bin = 0;

	while (ns > result_risk_end(bin))
		bin++;
	return bin;
}
