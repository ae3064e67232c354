/*
 * The port, and who may read there. An answer is made at most once a second however many ask,
 * because it walks over all that is kept; it waits for nothing.
 */
#include "cmd/metrics.h"

#include <stdlib.h>

#include "cmd/prometheus.h"
#include "overlay/addr.h"
#include "overlay/base/env_real_http.h"

#define PATH        "/metrics"
/* A scraper comes every 15 s; a second one shall cost nothing. */
#define TEXT_LASTS  SECONDS(1)
#define FORBIDDEN   403
#define UNAVAILABLE 503

struct metrics {
	struct metrics_opts opts;
	struct http_server *http;
	struct buf text;
	uint64_t text_at; /* 0: there is none */
	struct node *text_of;
	uint64_t started_ms, started_at;
};

bool
metrics_host_known(const char *host)
{
	struct addr ignored;
	char bare[ADDR_HOST_MAX];
	size_t len = strlen(host);

	/* None: whoever speaks HTTP/1.0 is no browser. */
	if (len == 0 || strcasecmp(host, "localhost") == 0)
		return true;
	if (len > 2 && len < sizeof(bare) && host[0] == '[' && host[len - 1] == ']') {
		memcpy(bare, host + 1, len - 2);
		bare[len - 2] = '\0';
		host = bare;
	}
	return addr_from_host(host, 0, &ignored) == ERR_OK;
}

static int
refresh(struct metrics *m)
{
	uint64_t now = env_now(m->opts.env);
	struct node *node = *m->opts.node;
	struct metrics_about about = {
		.env = m->opts.env,
		.settings = m->opts.settings,
		.log = m->opts.log,
		.started_ms = m->started_ms,
		.uptime_ms = (now - m->started_at) / MILLISECONDS(1),
	};
	int err;

	if (m->text_at != 0 && m->text_of == node && now - m->text_at < TEXT_LASTS)
		return ERR_OK;
	buf_reset(&m->text);
	err = metrics_text(&about, node, &m->text);
	m->text_at = err == ERR_OK ? now : 0;
	m->text_of = node;
	return err;
}

static int
on_get(void *arg, const struct http_request *req, struct buf *body)
{
	struct metrics *m = arg;
	int err;

	if (!m->opts.settings->metrics_public && !metrics_host_known(req->host))
		return FORBIDDEN;
	if (strcmp(req->path, PATH) != 0)
		return 404;
	err = refresh(m);
	if (err == ERR_OK)
		err = buf_append(body, m->text.data, m->text.len);
	if (err == ERR_OK)
		return 200;
	log_warn(m->opts.env, "the metrics are not told: %s", err_text(err));
	return UNAVAILABLE;
}

int
metrics_open(const struct metrics_opts *opts, struct metrics **out)
{
	struct metrics *m = calloc(1, sizeof(*m));
	int err;

	if (m == NULL)
		return ERR_NOMEM;
	m->opts = *opts;
	m->started_ms = env_wall_ms(opts->env);
	m->started_at = env_now(opts->env);
	buf_init(&m->text, HTTP_REPLY_MAX);
	err = http_open(
	    &(struct http_opts){
		.env = opts->env,
		.addr = opts->settings->metrics,
		.content_type = PROM_CONTENT_TYPE,
		.get = on_get,
		.arg = m,
	    },
	    &m->http);
	if (err != ERR_OK) {
		free(m);
		return err;
	}
	*out = m;
	return ERR_OK;
}

void
metrics_local(const struct metrics *m, struct addr *out)
{
	http_local(m->http, out);
}

void
metrics_close(struct metrics *m)
{
	if (m == NULL)
		return;
	http_close(m->http);
	buf_fini(&m->text);
	free(m);
}
