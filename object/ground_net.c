/*
 * An open bucket: the client of its register, its stores, and who signs its leases, in one piece of
 * memory. The account vouches for the charter's owner where anchors are chosen and founded, and for
 * the lease key with each chunk: both only show to nodes that were given the account's owner key.
 */
#include "object/ground_net.h"

#include <stdlib.h>

#include "object/blob_net.h"
#include "object/cloud.h"
#include "object/lease_signing.h"
#include "object/map_head.h"
#include "storage/anchors.h"

/* All anchors sync before they answer; one that is dead is waited for twice. */
#define FOUND_TIMEOUT SECONDS(30)
/* The last of them sees that it is so. */
#define WRITERS_TRIES 5

struct ground_net {
	struct ground base;
	struct ground_net_opts opts;
	struct publications publications; /* of all its buckets */
};
static_assert(PUBLICATIONS_MAX > CLOUD_BUCKETS_MAX, "none is forgotten");

struct net_opened {
	struct ground_bucket base;
	struct head_client *client;
	struct map_head_register reg;
	struct blob_net blobs;
	struct lease_signing signing;
};

static const struct ground_net_opts *
opts_of(struct ground *g)
{
	return &container_of(g, struct ground_net, base)->opts;
}

/* ---- registers ---- */

static SUSPENDS int
net_find(struct ground *g, const struct bucket_seed *seed, const struct hash *bucket,
    struct register_chain *out)
{
	const struct ground_net_opts *o = opts_of(g);
	struct identity finder;
	int err;

	bucket_finder(seed, &finder);
	err =
	    anchors_find(chunks_endpoint(o->chunks), o->dht, &finder.pub, seed->salt, bucket, out);
	identity_wipe(&finder);
	return err;
}

/* The account's word for the key that owns the bucket. */
static void
vouch(const struct ground_net_opts *o, const struct account *account, const struct pubkey *owner,
    struct grant *out)
{
	uint8_t nonce[GRANT_NONCE_BYTES];

	env_random(o->env, nonce, sizeof(nonce));
	account_grant(account, o->net, owner, nonce, out);
}

static SUSPENDS int
net_choose(struct ground *g, const struct account *account, struct charter *c)
{
	const struct ground_net_opts *o = opts_of(g);
	struct grant grant;

	vouch(o, account, &c->owner, &grant);
	return anchors_choose(
	    &(struct anchors_wish){ .chunks = o->chunks, .dht = o->dht, .grant = &grant }, c);
}

static SUSPENDS int
net_found(struct ground *g, const struct account *account, const struct bucket_seed *seed,
    const struct charter *c)
{
	const struct ground_net_opts *o = opts_of(g);
	struct endpoint *ep = chunks_endpoint(o->chunks);
	struct identity finder;
	struct grant grant;
	int err;

	vouch(o, account, &c->owner, &grant);
	err = anchors_found(ep, o->dht, c, &grant, FOUND_TIMEOUT);
	if (err != ERR_OK)
		return err;
	bucket_finder(seed, &finder);
	err = anchors_publish(ep, o->dht, &finder, seed->salt, c->epoch, &c->founding);
	identity_wipe(&finder);
	return err;
}

/* ---- the last resort ---- */

static SUSPENDS int
net_salvage(struct ground *g, const struct bucket_seed *seed, const struct register_chain *chain,
    struct salvage *out)
{
	const struct ground_net_opts *o = opts_of(g);
	struct identity finder;
	int err;

	bucket_finder(seed, &finder);
	err = salvage_look(chunks_endpoint(o->chunks), o->dht, &finder.pub, chain, out);
	identity_wipe(&finder);
	return err;
}

/* Root and records of the old epoch become the first head of the new one, in one piece. */
static int
carry_over(void *arg, const struct head_view *now, struct head_proposal *out)
{
	const struct salvage *from = arg;

	out->reply = now->head == NULL ? REPLY_PROPOSE : REPLY_DECLINE;
	out->root = from->head.root;
	out->carried = from->whole ? &from->tail : NULL;
	return ERR_OK;
}

static SUSPENDS int
first_head(const struct ground_net_opts *o, const struct ground_open *w, const struct salvage *from,
    struct head *out)
{
	struct head_decide decide = { carry_over, (void *)from, NULL };
	enum proposer_outcome outcome = OUT_FAILED;
	struct head_client *client;
	struct head_view v;
	int err = head_client_new(
	    &(struct head_client_opts){
		.endpoint = chunks_endpoint(o->chunks),
		.dht = o->dht,
		.registers = o->registers,
		.charter = w->charter,
		.writer = w->writer,
	    },
	    &client);

	if (err != ERR_OK)
		return err;
	err = head_client_commit(client, &decide, MAP_COMMIT_TIMEOUT, &outcome);
	head_client_view(client, &v);
	if (err == ERR_OK && outcome == OUT_DECLINED)
		err = ERR_BUSY;
	else if (err == ERR_OK && (outcome != OUT_COMMITTED || v.head == NULL))
		err = outcome == OUT_UNKNOWN ? ERR_UNKNOWN : ERR_UNREACHABLE;
	if (err == ERR_OK)
		*out = *v.head;
	head_client_free(client);
	return err;
}

static SUSPENDS int
net_refound(
    struct ground *g, const struct ground_open *w, const struct salvage *from, uint64_t *seq)
{
	const struct ground_net_opts *o = opts_of(g);
	struct endpoint *ep = chunks_endpoint(o->chunks);
	const struct charter *c = w->charter;
	struct identity finder;
	struct grant grant;
	struct head first;
	int err = ERR_OK;

	bucket_finder(w->seed, &finder);
	vouch(o, w->account, &c->owner, &grant);
	/* Anchors of both epochs forget the old one: whoever breaks off here finds this. */
	if (!from->recorded)
		err = last_head_publish(ep, o->dht, &finder, w->seed->salt, &from->head);
	if (err == ERR_OK)
		err = anchors_found(ep, o->dht, c, &grant, FOUND_TIMEOUT);
	if (err == ERR_OK)
		err = first_head(o, w, from, &first);
	if (err == ERR_OK)
		err = last_head_publish(ep, o->dht, &finder, w->seed->salt, &first);
	if (err == ERR_OK)
		err = anchors_publish(ep, o->dht, &finder, w->seed->salt, c->epoch, &c->founding);
	if (err == ERR_OK)
		*seq = first.seq;
	identity_wipe(&finder);
	return err;
}

/* ---- writers ---- */

static int
change_writers(struct configuration *c, const struct pubkey *writer, bool may)
{
	uint8_t i = 0;

	if (configuration_writer(c, writer) == may)
		return ERR_EXISTS;
	if (may && c->writers_count == WRITERS_MAX)
		return ERR_FULL;
	if (may) {
		c->writers[c->writers_count++] = *writer;
		return ERR_OK;
	}
	while (!pubkey_equal(&c->writers[i], writer))
		i++;
	c->writers[i] = c->writers[--c->writers_count];
	return ERR_OK;
}

/* Anchors may change meanwhile: then it is said again, of the next configuration. */
static SUSPENDS int
net_writers(struct ground *g, struct ground_bucket *opened, const struct identity *owner,
    const struct pubkey *writer, bool may)
{
	struct head_client *client = ground_net_client(opened);
	enum proposer_outcome outcome = OUT_FAILED;
	int err = ERR_BUSY;

	(void)g;
	for (int tries = 0; tries < WRITERS_TRIES; tries++) {
		struct configuration next;

		err = head_client_read(client, MAP_READ_TIMEOUT);
		if (err != ERR_OK)
			break;
		next = *head_client_configuration(client);
		err = change_writers(&next, writer, may);
		if (err != ERR_OK)
			break;
		outcome = OUT_FAILED;
		err = head_client_reconfigure(client, &next, owner, MAP_COMMIT_TIMEOUT, &outcome);
		if (err != ERR_OK)
			break;
		err = outcome == OUT_UNKNOWN ? ERR_UNKNOWN : ERR_BUSY;
	}
	return err == ERR_EXISTS ? ERR_OK : err;
}

/* ---- open ---- */

static int
open_client(struct ground *g, const struct ground_open *w, struct net_opened *b)
{
	const struct ground_net_opts *o = opts_of(g);
	struct identity finder;
	int err;

	bucket_finder(w->seed, &finder);
	err = head_client_new(
	    &(struct head_client_opts){
		.endpoint = chunks_endpoint(o->chunks),
		.dht = o->dht,
		.registers = o->registers,
		.charter = w->charter,
		.handover = w->handover,
		.writer = w->writer,
		.finder = &finder,
		.publications = &container_of(g, struct ground_net, base)->publications,
	    },
	    &b->client);
	identity_wipe(&finder);
	return err;
}

static int
net_open(struct ground *g, const struct ground_open *w, struct ground_bucket **out)
{
	const struct ground_net_opts *o = opts_of(g);
	struct net_opened *b = calloc(1, sizeof(*b));
	struct placing_opts placing = { .code = w->code, .constraints = *w->constraints };
	int err = b == NULL ? ERR_NOMEM : open_client(g, w, b);

	if (err != ERR_OK) {
		free(b);
		return err;
	}
	lease_signing_bucket(&b->signing, o->env, o->net, &w->seed->secret, w->account, w->grant);
	b->base.signer = lease_signing_signer(&b->signing);
	placing.signer = b->base.signer;
	map_head_init(&b->reg, b->client, w->writer != NULL);
	blob_net_init(&b->blobs, o->files, &placing);
	b->base.reg = &b->reg.reg;
	b->base.blobs = &b->blobs.store;
	*out = &b->base;
	return ERR_OK;
}

static SUSPENDS void
net_close(struct ground *g, struct ground_bucket *opened)
{
	struct net_opened *b = container_of(opened, struct net_opened, base);

	(void)g;
	head_client_free(b->client);
	crypto_wipe(&b->signing, sizeof(b->signing));
	free(b);
}

struct head_client *
ground_net_client(struct ground_bucket *b)
{
	return container_of(b, struct net_opened, base)->client;
}

/* ---- life ---- */

int
ground_net_new(const struct ground_net_opts *opts, struct ground_net **out)
{
	struct ground_net *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return ERR_NOMEM;
	g->base = (struct ground){ .find = net_find,
		.choose = net_choose,
		.found = net_found,
		.salvage = net_salvage,
		.refound = net_refound,
		.writers = net_writers,
		.open = net_open,
		.close = net_close };
	g->opts = *opts;
	*out = g;
	return ERR_OK;
}

void
ground_net_free(struct ground_net *g)
{
	if (g != NULL)
		publications_fini(&g->publications);
	free(g);
}

struct ground *
ground_net_base(struct ground_net *g)
{
	return &g->base;
}
