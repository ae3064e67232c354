/*
 * A gateway whose buckets are in memory, for test/e2e/s3: what the S3 interface says is tried with
 * stock clients without waiting for a network. Prints one line of JSON as `skerry testnet --s3`
 * does, then serves until SIGTERM.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "gateway/gateway.h"
#include "object/settings.h"
#include "overlay/base/env_real.h"
#include "test/unit/gateway/realm_mem.h"

struct server {
	struct env *env;
	struct wait stop;
	uint16_t port;
};

/* Of the first account: its policy is one that is not taken any more, but may have been. */
#define UNREADABLE        "unreadable-policy"
#define UNREADABLE_LEVELS 2000

static SUSPENDS int
spoil_txn(void *arg, struct kv *txn)
{
	const struct settings open = { .ownership = OWNERSHIP_WRITER };
	struct buf text;
	int err = settings_put(txn, &open);

	(void)arg;
	buf_init(&text, KIB(20));
	if (err == ERR_OK)
		err = buf_appendf(&text,
		    "{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"s3:*\","
		    "\"Resource\":\"arn:aws:s3:::" UNREADABLE "/*\"},\"Note\":");
	for (int i = 0; i < UNREADABLE_LEVELS && err == ERR_OK; i++)
		err = buf_append(&text, "[", 1);
	for (int i = 0; i < UNREADABLE_LEVELS && err == ERR_OK; i++)
		err = buf_append(&text, "]", 1);
	if (err == ERR_OK)
		err = buf_append(&text, "}", 1);
	if (err == ERR_OK)
		err = setting_put(txn, "policy", buf_bytes(&text));
	buf_fini(&text);
	return err;
}

static SUSPENDS int
spoil(struct realm_mem *m)
{
	struct realm *realm = realm_mem_realm(m);
	struct realm_bucket *b;
	int err = realm->ops->create(
	    realm, &realm_mem_key(m, 0)->account, UNREADABLE, "", spoil_txn, NULL, &b);

	b->ops->release(b);
	return err;
}

static void
on_stop(void *arg, int signo)
{
	(void)signo;
	wait_wake(&((struct server *)arg)->stop, ERR_OK);
}

static void
tell(const struct gateway *g, const struct realm_mem *m)
{
	struct addr a;

	gateway_local(g, &a);
	printf(
	    "{\"s3\":{\"endpoint\":\"http://127.0.0.1:%u\",\"region\":\"us-east-1\",\"accounts\":[",
	    a.port);
	for (size_t i = 0; i < 3; i++) {
		const struct realm_key *k = realm_mem_key(m, i);

		printf(
		    "%s{\"name\":\"%s\",\"id\":\"%s\",\"access_key\":\"%s\",\"secret_key\":\"%s\"}",
		    i == 0 ? "" : ",", k->account.name, k->account.id.text, k->key.id,
		    k->key.secret);
	}
	printf("],\"unreadable\":\"" UNREADABLE "\",\"narrow\":\"" REALM_MEM_NARROW "\"}}\n");
	(void)fflush(stdout);
}

static SUSPENDS int
main_task(void *arg)
{
	static const char *const domains[] = { "localhost", "" };
	struct server *s = arg;
	struct realm_mem *m = realm_mem_new(s->env);
	struct gateway_opts opts = { .env = s->env,
		.realm = realm_mem_realm(m),
		.addr = { .family = ADDR_IPV4, .ip = { 127, 0, 0, 1 }, .port = s->port },
		.domains = domains,
		.lifecycle_day_ms = 2000 };
	struct gateway *g;
	int err;

	wait_init(&s->stop);
	err = env_real_on_signal(s->env, SIGTERM, on_stop, s);
	if (err == ERR_OK)
		err = env_real_on_signal(s->env, SIGINT, on_stop, s);
	if (err == ERR_OK)
		err = spoil(m);
	if (err == ERR_OK)
		err = gateway_open(&opts, &g);
	if (err == ERR_OK) {
		tell(g, m);
		err = wait_always(s->env, &s->stop);
		gateway_close(g, SECONDS(2));
	}
	realm_mem_free(m);
	return err;
}

int
main(int argc, char **argv)
{
	struct server s = { .port = argc > 1 ? (uint16_t)atoi(argv[1]) : 0 };
	struct log *log = log_new(&(struct log_opts){ .level = LOG_WARN });
	struct rlimit limit;
	int err;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	if (crypto_init() != ERR_OK ||
	    env_real_new(&(struct env_real_opts){ .log = log }, &s.env) != ERR_OK)
		return EXIT_FAILURE;
	err = env_real_run(s.env, main_task, &s);
	env_real_free(s.env);
	log_free(log);
	if (err != ERR_OK)
		(void)fprintf(stderr, "%s\n", err_text(err));
	return err == ERR_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
