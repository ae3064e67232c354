/* The file is read at the start alone: another certificate in it is served from the next one on. */
#include "cmd/gateway_tls.h"

#include <stdio.h>

#include "cmd/say.h"
#include "overlay/base/log.h"

#define AGAIN       DAYS(1)
#define WARNING_MAX 512

/* What is wrong with its dates; "" when nothing is. */
static const char *
warning(const struct gateway_tls *t, char out[WARNING_MAX])
{
	char from[SAY_TIME_MAX], until[SAY_TIME_MAX];
	enum certificate_state state;

	out[0] = '\0';
	if (!t->known) {
		(void)snprintf(
		    out, WARNING_MAX, "the dates of the certificate in %s cannot be read", t->file);
		return out;
	}
	state = certificate_judge(&t->span, env_wall_ms(t->env) / 1000);
	(void)say_time(t->span.from_s, SAY_MINUTE, from);
	(void)say_time(t->span.until_s, SAY_MINUTE, until);
	if (state == CERTIFICATE_OVER)
		(void)snprintf(out, WARNING_MAX,
		    "the certificate in %s ended on %s, and clients refuse it; right would be a "
		    "new one, and a new start",
		    t->file, until);
	else if (state == CERTIFICATE_EARLY)
		(void)snprintf(out, WARNING_MAX,
		    "the certificate in %s begins on %s, and clients refuse it until then; right "
		    "would be one that is valid, or this machine's clock is wrong",
		    t->file, from);
	else if (state == CERTIFICATE_ENDING)
		(void)snprintf(out, WARNING_MAX,
		    "the certificate in %s ends on %s; right would be a new one before that, and a "
		    "new start",
		    t->file, until);
	return out;
}

static void
look(void *arg)
{
	struct gateway_tls *t = arg;
	char text[WARNING_MAX];

	if (warning(t, text)[0] != '\0')
		log_warn(t->env, "%s", text);
	timer_start(&t->again, AGAIN);
}

void
gateway_tls_start(struct gateway_tls *t, struct env *env, const char *file, struct bytes pem)
{
	t->env = env;
	t->file = file;
	t->known = certificate_read(pem, &t->span) == ERR_OK;
	timer_init(&t->again, env, look, t);
	look(t);
}

void
gateway_tls_stop(struct gateway_tls *t)
{
	if (t->env != NULL)
		timer_stop(&t->again);
}

struct json_value *
gateway_tls_json(const struct gateway_tls *t)
{
	struct json_value *o = json_make_object();
	char text[WARNING_MAX];

	json_put_text(o, "file", t->file);
	if (t->known) {
		json_put_number(o, "valid_from", t->span.from_s);
		json_put_number(o, "valid_until", t->span.until_s);
	}
	json_put_text(o, "warning", warning(t, text));
	return o;
}
