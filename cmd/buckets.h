/*
 * What the commands on buckets share: addresses sk://BUCKET/KEY, and the account's buckets for the
 * length of one command, as the gateway has them (gateway/realm_net.h).
 */
#ifndef CMD_BUCKETS_H
#define CMD_BUCKETS_H

#include "cmd/client.h"
#include "cmd/json.h"
#include "gateway/realm_net.h"
#include "object/ground_net.h"

#define URL_SCHEME    "sk://"
/* A key with each byte as \xNN, for say_clean(). */
#define KEY_CLEAN_MAX (4 * OBJECT_KEY_MAX + 1)

struct bucket_url {
	char bucket[BUCKET_NAME_MAX + 1]; /* "": none, which stands for all of them */
	char key[OBJECT_KEY_MAX + 1];     /* "": none */
};
enum url_want { URL_ANY, URL_BUCKET, URL_BUCKET_ONLY, URL_KEY };

bool url_is(const char *text); /* else it is a file, or a link */
/* False: said why, *code is the exit code. */
bool url_read(
    const char *command, const char *text, enum url_want want, struct bucket_url *out, int *code);

/* What the gateway needs of it, for each account that it serves. After errors, too, the caller
 * frees what is in *out. */
int buckets_ground(const struct client *c, struct ground_net **out);
int buckets_cloud_new(const struct client *c, struct ground_net *ground,
    const struct account *account, struct cloud **out); /* not started */
SUSPENDS int buckets_cloud(const struct client *c, struct ground_net *ground,
    const struct account *account, enum cloud_start how, struct cloud **out);

/* The same with what a delegate was given, and no account. */
SUSPENDS int buckets_delegated(const struct client *c, struct ground_net *ground,
    const struct delegation *delegation, struct cloud **out);

struct buckets {
	struct client *c;
	struct ground_net *ground;
	struct cloud *cloud;
	struct realm_net *realm_net;
	struct realm *realm;
	bool said_stale;
};
/* Says why not. Closed in any case. */
SUSPENDS int buckets_open(struct buckets *b, struct client *c, enum cloud_start how);
SUSPENDS void buckets_close(struct buckets *b);
struct buckets_work { /* as struct client_work */
	const char *command;
	const struct client_options *options;
	enum cloud_start how;
	struct buckets *buckets; /* open while it runs */
	SUSPENDS int (*run)(void *arg);
	void (*stopping)(void *arg);
	void *arg;
};
/* client_run() of a command that needs the account's buckets open. */
int buckets_run(const struct buckets_work *work);
/* One by name; says why not. gives: b->ops->release */
SUSPENDS int buckets_find(struct buckets *b, const char *name, struct realm_bucket **out);
/* The same for a command that only reads, and says where that may be old: buckets_say_stale(). */
SUSPENDS int buckets_find_to_read(struct buckets *b, const char *name, struct realm_bucket **out);
/* Says it, once in a command; stale_ms as of a realm's bucket: 0 says nothing. */
void buckets_say_stale(struct buckets *b, uint64_t stale_ms);
/* Seconds since; the field stale_s of what is written for machines, or none. */
void buckets_json_stale(const struct buckets *b, struct json_value *o, uint64_t stale_ms);
/* One line for machines about one of them. */
int buckets_say_json(const struct buckets *b, const struct cloud_facts *f, uint64_t stale_ms);
/* Says what failed ("read sk://photos/a") and why; gives the exit code. */
int buckets_fail(const struct client *c, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
