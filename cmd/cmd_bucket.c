/*
 * skerry bucket: what a bucket is and who keeps its head. Each anchor is asked whether it is there
 * and what it knows; nothing is changed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/bucket_make.h"
#include "cmd/buckets.h"
#include "cmd/json.h"
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
	struct bucket_words words;
	struct map_sight map;
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
		a->err = register_resolve(ep, dht, &a->key, false, &a->at);
		a->known = a->err == ERR_OK;
		if (a->known)
			a->err = register_ask_chain(
			    ep, &a->at, &cloud_bucket_of(s->bucket)->id, chain, NULL, NULL);
		if (a->err == ERR_OK)
			a->number = chain->now.number;
	}
	free(chain);
	return ERR_OK;
}

static SUSPENDS int
look(struct bucket_sight *s)
{
	struct head_client *hc;
	struct map_view *v;
	int err = cloud_bucket_view(s->bucket, MAP_CURRENT, &v);

	/* Without a quorum what was known when it was founded is shown, and who answers. */
	if (err == ERR_OK) {
		err = bucket_words(map_view_kv(v), &s->words);
		map_view_release(v);
	}
	hc = ground_net_client(cloud_bucket_ground(s->bucket));
	map_sight(cloud_bucket_map(s->bucket), &s->map);
	s->now = *head_client_configuration(hc);
	s->epoch = head_client_charter(hc)->epoch;
	for (uint8_t i = 0; i < s->now.anchors_count; i++)
		s->anchors[i] =
		    (struct anchor_sight){ .key = s->now.anchors[i].key, .err = ERR_UNREACHABLE };
	if (err == ERR_OK || err == ERR_UNREACHABLE)
		err = task_together(
		    s->buckets.c->env, "ask anchors", ask_anchors, s, s->now.anchors_count);
	return err;
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
	const struct cloud_facts *f = cloud_bucket_of(s->bucket);
	struct json_value *o = json_make_object(), *list = json_make_array();

	json_put_text(o, "bucket", f->name);
	json_put_hex(o, "id", f->id.b, sizeof(f->id.b));
	json_put_number(o, "created_ms", f->created_ms);
	json_put_text(o, "location", f->location.text);
	json_put_text(o, "versioning", s->words.versioning);
	json_put_flag(o, "lock", s->words.lock);
	json_put_number(o, "epoch", s->epoch);
	json_put_number(o, "seq", s->map.seq);
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
	const struct cloud_facts *f = cloud_bucket_of(s->bucket);
	char when[SAY_TIME_MAX], size[SAY_SIZE_MAX], id[2 * sizeof(f->id.b) + 1];

	hex_encode(id, f->id.b, sizeof(f->id.b));
	printf("bucket      %s\nid          %s\n", f->name, id);
	printf("made        %s\n", say_time(f->created_ms / 1000, SAY_MINUTE, when));
	printf("location    %s\n", f->location.text[0] != '\0' ? f->location.text : "any");
	printf("versioning  %s%s\n", s->words.versioning,
	    s->words.lock ? ", objects may be locked" : "");
	printf("state       change %" PRIu64 " of epoch %" PRIu64 "; %" PRIu64 " pages, %s\n",
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
sight_work(struct client *c, void *arg)
{
	struct bucket_sight *s = arg;
	int err = buckets_open(&s->buckets, c, CLOUD_FIND), code = client_exit_code(err);

	if (err == ERR_OK) {
		err = cloud_bucket_open(s->buckets.cloud, s->url.bucket, &s->bucket);
		if (err == ERR_NOT_FOUND)
			say_error(c->command, "there is no bucket %s", s->url.bucket);
		else if (err == ERR_OK)
			err = look(s);
		if (err == ERR_OK)
			err = s->client.json ? tell_json(s) : tell_people(s);
		if (err != ERR_OK && err != ERR_NOT_FOUND)
			(void)buckets_fail(c, err, "see the bucket %s", s->url.bucket);
		code = client_exit_code(err);
		if (err == ERR_OK && answering(s) < s->now.quorum)
			code = EXIT_UNREACHABLE;
		else if (err == ERR_OK && answering(s) < s->now.anchors_count)
			code = EXIT_WARNED;
		cloud_bucket_close(s->bucket);
	}
	buckets_close(&s->buckets);
	return code;
}

static int
bucket_run(const struct command *self, int argc, char **argv)
{
	struct bucket_sight *s = calloc(1, sizeof(*s));
	struct operands operands;
	int code = EXIT_FAILED;

	if (s == NULL)
		return EXIT_FAILED;
	s->client = (struct client_options)CLIENT_OPTIONS_DEFAULT;
	s->words.versioning = "unknown";
	if (command_parse(self, argc, argv,
		(struct option_group[]){
		    { client_options, &s->client }, { client_account_options, &s->client } },
		2, &operands, &code) &&
	    url_read(self->name, operands.text[0], URL_BUCKET_ONLY, &s->url, &code))
		code = client_run(&(struct client_work){
		    .command = self->name,
		    .options = &s->client,
		    .account = true,
		    .run = sight_work,
		    .arg = s,
		});
	free(s);
	return code;
}

const struct command command_bucket = {
	.name = "bucket",
	.synopsis = "sk://BUCKET [option ...]",
	.operands_least = 1,
	.operands_most = 1,
	.brief = "tell what a bucket is and who its anchors are",
	.about =
	    "Shows where a bucket's objects may lie, whether it keeps versions, how far its state\n"
	    "is, and the peers that keep its head: each is asked whether it answers.\n"
	    "\n"
	    "  skerry bucket sk://photos\n"
	    "\n"
	    "Exit code 3: some anchor does not answer. 4: too few do.",
	.options = (const struct option *const[]){ client_options, client_account_options, NULL },
	.run = bucket_run,
};
