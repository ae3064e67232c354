/*
 * What clients will make of a gateway's certificate by its dates: told when it starts, and once a
 * day, because a gateway runs longer than a certificate.
 */
#ifndef CMD_GATEWAY_TLS_H
#define CMD_GATEWAY_TLS_H

#include "cmd/json.h"
#include "gateway/certificate.h"
#include "overlay/base/env.h"

struct gateway_tls {
	struct env *env;
	const char *file;
	bool known;
	struct certificate_span span;
	struct timer again;
};

/* pem is what was read of the file, which is lent. Warns in the log, now and daily. */
void gateway_tls_start(struct gateway_tls *t, struct env *env, const char *file, struct bytes pem);
void gateway_tls_stop(struct gateway_tls *t); /* also where none was started, and all is 0 */
/* "file", "valid_from", "valid_until" and "warning", which is empty when all is well. gives */
struct json_value *gateway_tls_json(const struct gateway_tls *t);

#endif
