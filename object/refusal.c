/* Names of refusals. */
#include "object/refusal.h"

#include <stddef.h>

const char *
refusal_code(int err)
{
	switch (err) {
#define X(code, name, text)                                                                        \
	case code:                                                                                 \
		return text;
		REFUSAL_LIST(X)
#undef X
	default:
		return NULL;
	}
}

bool
refusal_is(int err)
{
	return refusal_code(err) != NULL;
}
