/*
 * From when until when a TLS certificate serves, by its own dates. Nothing else of it is judged:
 * clients do that. By libcrypto. Pure.
 */
#ifndef GATEWAY_CERTIFICATE_H
#define GATEWAY_CERTIFICATE_H

#include "overlay/base/err.h"
#include "overlay/base/types.h"

/* Time to get another one: those who renew by themselves do it 30 days before. */
#define CERTIFICATE_SOON_S (UINT64_C(14) * 24 * 3600)
/* What a server has to show; the rest is not read. */
#define CERTIFICATE_CHAIN  16

struct certificate_span {
	uint64_t from_s, until_s; /* Unix time; before 1970: 0 */
};
/* When all of a chain (PEM) are good: a client needs each. ERR_INVALID: there is none. */
int certificate_read(struct bytes pem, struct certificate_span *out);

enum certificate_state {
	CERTIFICATE_GOOD,
	CERTIFICATE_EARLY,  /* not valid yet */
	CERTIFICATE_ENDING, /* within CERTIFICATE_SOON_S */
	CERTIFICATE_OVER,
};
enum certificate_state certificate_judge(const struct certificate_span *span, uint64_t now_s);

#endif
