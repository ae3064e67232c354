/*
 * skerry bucket show: what a bucket is and who keeps its head. Each anchor is asked whether it is
 * there and what it knows; nothing is changed, and it works without a quorum. skerry bucket
 * recover: the last resort when the quorum is gone for good.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/bucket_make.h"
#include "cmd/buckets.h"
#include "cmd/json.h"
#include "cmd/recovered.h"
#include "cmd/say.h"

struct anchor_sight {
	struct pubkey key;
	bool known; /* where it is */
	struct contact at;
	int err; /* of asking it; ERR_OK: it has the register */
	uint32_t number;
};

struct bucket_sight {
	struct client_options client;
	struct bucket_url url;
	struct buckets buckets;
	struct cloud_bucket *bucket;
	struct cloud_facts facts;
	struct bucket_words words;
	struct map_sight map;
	bool stale, yes;
	struct configuration now;
	uint64_t epoch;
	struct anchor_sight anchors[ANCHORS_MAX];
	uint8_t next;
};

/* ---- asking ---- */

static int
ask_anchors(void *arg)
{
	struct bucket_sight *s = arg;
	struct endpoint *ep = node_endpoint(s->buckets.c->node);
	struct dht *dht = node_dht(s->buckets.c->node);
	struct register_chain *chain = malloc(sizeof(*chain));

	while (chain != NULL && s->next < s->now.anchors_count) {
		struct anchor_sight *a = &s->anchors[s->next++];

		chain->known = false;
		a->err = register_resolve(ep, dht, &a->key, &a->at);
		a->known = a->err == ERR_OK;
		if (a->known)
			a->err = register_ask_chain(ep, &a->at, &s->facts.id, chain, NULL, NULL);
		if (a->err == ERR_OK)
			a->number = chain->now.number;
	}
	free(chain);
	return ERR_OK;
}

/* Of an open bucket. */
static SUSPENDS int
look_inside(struct bucket_sight *s)
{
	struct head_client *hc;
	struct map_view *v;
	int err = cloud_bucket_view(s->bucket, MAP_CURRENT, &v);

	if (err == ERR_OK) {
		err = bucket_words(map_view_kv(v), &s->words);
		map_view_release(v);
	}
	hc = ground_net_client(cloud_bucket_ground(s->bucket));
	map_sight(cloud_bucket_map(s->bucket), &s->map);
	s->stale = s->map.stale;
	s->now = *head_client_configuration(hc);
	s->epoch = head_client_charter(hc)->epoch;
	return err;
}

/* Without a quorum: what the newest head that is to be found says. */
static SUSPENDS int
look_outside(struct bucket_sight *s)
{
	struct cloud_remains remains;
	int err = cloud_bucket_remains(s->buckets.cloud, s->url.bucket, &remains);

	if (err != ERR_OK)
		return err;
	s->stale = true;
	s->now = remains.now;
	s->epoch = remains.epoch;
	s->map.seq = remains.found_seq;
	return ERR_OK;
}

static SUSPENDS int
look(struct bucket_sight *s)
{
	int err = cloud_bucket_facts(s->buckets.cloud, s->url.bucket, &s->facts);

	if (err == ERR_OK)
		err = cloud_bucket_open(s->buckets.cloud, s->url.bucket, &s->bucket);
	if (err == ERR_OK)
		err = look_inside(s);
	if (err == ERR_UNREACHABLE)
		err = look_outside(s);
	if (err != ERR_OK)
		return err;
	for (uint8_t i = 0; i < s->now.anchors_count; i++)
		s->anchors[i] =
		    (struct anchor_sight){ .key = s->now.anchors[i].key, .err = ERR_UNREACHABLE };
	return task_together(
	    s->buckets.c->env, "ask anchors", ask_anchors, s, s->now.anchors_count);
}

/* ---- telling ---- */

static unsigned
answering(const struct bucket_sight *s)
{
	unsigned n = 0;

	for (uint8_t i = 0; i < s->now.anchors_count; i++)
		n += s->anchors[i].err == ERR_OK;
	return n;
}

static int
tell_json(const struct bucket_sight *s)
{
	const struct cloud_facts *f = &s->facts;
	struct json_value *o = json_make_object(), *list = json_make_array();

	json_put_text(o, "bucket", f->name);
	json_put_hex(o, "id", f->id.b, sizeof(f->id.b));
	json_put_number(o, "created_ms", f->created_ms);
	json_put_text(o, "location", f->location.text);
	json_put_text(o, "versioning", s->words.versioning);
	json_put_flag(o, "lock", s->words.lock);
	json_put_number(o, "epoch", s->epoch);
	json_put_number(o, "seq", s->map.seq);
	json_put_flag(o, "stale", s->stale);
	json_put_number(o, "configuration", s->now.number);
	json_put_number(o, "quorum", s->now.quorum);
	json_put_number(o, "writers", s->now.writers_count);
	json_put_number(o, "pages", s->map.pages);
	json_put_number(o, "page_bytes", s->map.page_bytes);
	json_put_number(o, "tail_bytes", s->map.tail_bytes);
	for (uint8_t i = 0; i < s->now.anchors_count; i++) {
		const struct anchor_sight *a = &s->anchors[i];
		struct json_value *v = json_make_object();
		char addr[ADDR_TEXT_MAX];

		json_put_hex(v, "key", a->key.b, sizeof(a->key.b));
		if (a->known)
			json_put_text(v, "address", addr_format(&a->at.addr, addr));
		json_put_flag(v, "answers", a->err == ERR_OK);
		json_put_number(v, "configuration", a->number);
		json_add_value(list, v);
	}
	json_put_value(o, "anchors", list);
	return json_say(o);
}

static int
tell_people(const struct bucket_sight *s)
{
	const struct cloud_facts *f = &s->facts;
	char when[SAY_TIME_MAX], size[SAY_SIZE_MAX], id[2 * sizeof(f->id.b) + 1];

	hex_encode(id, f->id.b, sizeof(f->id.b));
	printf("bucket      %s\nid          %s\n", f->name, id);
	printf("made        %s\n", say_time(f->created_ms / 1000, SAY_MINUTE, when));
	printf("location    %s\n", f->location.text[0] != '\0' ? f->location.text : "any");
	printf("versioning  %s%s\n", s->words.versioning,
	    s->words.lock ? ", objects may be locked" : "");
	if (s->stale)
		printf("state       change %" PRIu64 " of epoch %" PRIu64
		       ", or a later one: stale; writes are refused\n",
		    s->map.seq, s->epoch);
	else
		printf("state       change %" PRIu64 " of epoch %" PRIu64 "; %" PRIu64
		       " pages, %s\n",
		    s->map.seq, s->epoch, s->map.pages, say_size(s->map.page_bytes, size));
	printf("anchors     %u of %u answer, %u are needed\n\n", answering(s), s->now.anchors_count,
	    s->now.quorum);
	for (uint8_t i = 0; i < s->now.anchors_count; i++) {
		const struct anchor_sight *a = &s->anchors[i];
		char addr[ADDR_TEXT_MAX] = "unknown", key[17];

		hex_encode(key, a->key.b, 8);
		if (a->known)
			(void)addr_format(&a->at.addr, addr);
		printf(
		    "%s  %-21s  %s\n", key, addr, a->err == ERR_OK ? "answers" : err_text(a->err));
	}
	return fflush(stdout) == 0 ? ERR_OK : ERR_IO;
}

static SUSPENDS int
sight_work(void *arg)
{
	struct bucket_sight *s = arg;
	struct client *c = s->buckets.c;
	int err = look(s);

	if (err == ERR_NOT_FOUND)
		say_error(c->command, "there is no bucket %s", s->url.bucket);
	if (err == ERR_OK)
		err = s->client.json ? tell_json(s) : tell_people(s);
	if (err != ERR_OK && err != ERR_NOT_FOUND)
		(void)buckets_fail(c, err, "see the bucket %s", s->url.bucket);
	cloud_bucket_close(s->bucket);
	if (err == ERR_OK && answering(s) < s->now.quorum)
		return EXIT_UNREACHABLE;
	if (err == ERR_OK && answering(s) < s->now.anchors_count)
		return EXIT_WARNED;
	return client_exit_code(err);
}

/* ---- recovering ---- */

static const struct option recover_options[] = {
	{ "yes", 0, NULL, "begin the epoch without asking on the terminal.", RIGHT_SWITCH,
	    set_switch, NULL, .offset = offsetof(struct bucket_sight, yes), .with = "recover" },
	{ NULL },
};

static SUSPENDS int
recover_work(void *arg)
{
	struct bucket_sight *s = arg;
	struct client *c = s->buckets.c;
	struct cloud_recovered r;
	char what[sizeof(URL_SCHEME) + BUCKET_NAME_MAX];
	int err = cloud_bucket_recover(s->buckets.cloud, s->url.bucket, &r);

	(void)snprintf(what, sizeof(what), URL_SCHEME "%s", s->url.bucket);
	if (err == ERR_OK)
		return client_exit_code(recovered_tell(s->client.json, s->url.bucket, &r));
	if (err != ERR_NOT_FOUND)
		return recovered_fail(c, err, what, &r);
	say_error(c->command, "there is no bucket %s", s->url.bucket);
	return client_exit_code(err);
}

/* ---- before ---- */

static bool
read_words(const struct command *self, struct bucket_sight *s, const struct operands *o,
    bool *recovers, int *code)
{
	const char *verb = o->count == 2 ? o->text[0] : "show";

	*code = EXIT_USAGE;
	*recovers = strcmp(verb, "recover") == 0;
	if (!*recovers && strcmp(verb, "show") != 0) {
		say_error(self->name,
		    "right would be: %s bucket show sk://BUCKET, or %s bucket recover sk://BUCKET "
		    "[--yes]",
		    PROGRAM_NAME, PROGRAM_NAME);
		return false;
	}
	return url_read(self->name, o->text[o->count - 1], URL_BUCKET_ONLY, &s->url, code) &&
	       (!*recovers || recovered_confirm(self->name, s->url.bucket, s->yes));
}

static int
bucket_run(const struct command *self, int argc, char **argv)
{
	struct bucket_sight *s = calloc(1, sizeof(*s));
	struct operands operands = { 0 };
	bool recovers = false;
	int code = EXIT_FAILED;

	if (s == NULL)
		return EXIT_FAILED;
	s->client = (struct client_options)CLIENT_OPTIONS_DEFAULT;
	s->words.versioning = "unknown";
	if (client_parse(self, argc, argv, (struct option_group){ recover_options, s }, &s->client,
		&operands, &code) &&
	    read_words(self, s, &operands, &recovers, &code))
		code = buckets_run(&(struct buckets_work){
		    .command = self->name,
		    .options = &s->client,
		    .how = CLOUD_FIND,
		    .buckets = &s->buckets,
		    .run = recovers ? recover_work : sight_work,
		    .arg = s,
		});
	free(s);
	return code;
}

const struct command command_bucket = {
	.name = "bucket",
	.synopsis = "[show|recover] sk://BUCKET [--yes] [option ...]",
	.operands_least = 1,
	.operands_most = 2,
	.brief = "tell what a bucket is and who its anchors are; recover it without them",
	.about =
	    "Shows where a bucket's objects may lie, whether it keeps versions, how far its state\n"
	    "is, and the peers that keep its head: each is asked whether it answers.\n"
	    "\n"
	    "  skerry bucket sk://photos\n"
	    "\n"
	    "recover is the last resort: when too few anchors are left for good, the bucket gets\n"
	    "new ones, and goes on from the newest state that is to be found.\n"
	    "\n"
	    "  skerry bucket recover sk://photos\n"
	    "\n"
	    "Exit code 3: some anchor does not answer. 4: too few do.",
	.options = (const struct option *const[]){ recover_options, client_options,
	    client_account_options, NULL },
	.run = bucket_run,
};
