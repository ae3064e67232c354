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
