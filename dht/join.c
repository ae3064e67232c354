/*
 * Coming into the network: bootstraps and the saved table are pinged all at once, the first
 * answer lets the lookup of ourselves begin, which fills the table. The saved table is only a list
 * of addresses to ask: nobody enters unverified. A file that cannot be read is said and
 * ignored, since everything in it can be found again.
 *
 * The file (doc/disk.md): "skerry/contacts/1", network id, count u16, contacts of 51 bytes,
 * SHA-256 of all before.
 */
#include <stdlib.h>

#include "dht/walk.h"
#include "overlay/base/pack.h"

#define SAVED_DOMAIN         "skerry/contacts/1"
#define SAVED_MAX            512 /* a full table of a network of a million; others are found again */
#define SAVED_BYTES          (sizeof(SAVED_DOMAIN) + 4 + 2 + SAVED_MAX * CONTACT_PACKED_BYTES + 32)
/* As many as a fan-out holds: when none of so many answers, the line is down. */
#define KNOCK_MAX            FAN_MAX
#define KNOCK_PAUSE          SECONDS(2) /* before the same are asked again */
#define JOIN_TIMEOUT         SECONDS(30)
/* Who is that near knows of everybody who came to us lately. */
#define REFRESH_NEAREST_WANT 6
/*
 * Ten tell the network's size within a third, and sixteen samples within a tenth, for two thirds of
 * the requests of DHT_K. Where there may be fewer than that, all are asked and counted.
 */
#define REFRESH_SAMPLE_WANT  10
#define REFRESH_SAMPLE_SIZE  (4 * DHT_K)

/* ---- the saved table ---- */

struct table_file {
	struct disk *disk;
	const char *path;
	struct buf bytes;
};

static int
file_write_work(void *arg)
{
	struct table_file *f = arg;

	return disk_write_file(f->disk, f->path, buf_bytes(&f->bytes));
}

static int
file_read_work(void *arg)
{
	struct table_file *f = arg;

	return disk_read_file(f->disk, f->path, &f->bytes);
}

static int
saved_pack(const struct dht *d, struct buf *out)
{
	struct table_view *views = calloc(SAVED_MAX, sizeof(*views));
	struct packer p;
	struct hash sum;
	size_t n;
	int err = views == NULL ? ERR_NOMEM : buf_reserve(out, SAVED_BYTES);

	if (err != ERR_OK)
		goto done;
	/* Nearest to ourselves first: those are the hardest to find again. */
	n = table_near(d->table, &d->self, TABLE_STRIKES_SILENT, views, SAVED_MAX);
	p = packer_on(out->data, out->cap);
	pack_domain(&p, SAVED_DOMAIN, &d->net);
	pack_u16(&p, (uint16_t)n);
	for (size_t i = 0; i < n; i++) {
		struct contact c;

		table_contact(&views[i], &c);
		contact_pack(&p, &c);
	}
	crypto_sha256(&sum, out->data, p.len);
	pack_raw(&p, sum.b, sizeof(sum.b));
	must(pack_ok(&p));
	out->len = p.len;
done:
	free(views);
	return err;
}

int
dht_table_save(struct dht *d)
{
	struct table_file f = { .disk = d->env->disk, .path = d->table_path };
	int err;

	/* Nobody answers: what was saved before is worth more. */
	if (d->table_path == NULL || !table_answers(d->table))
		return ERR_OK;
	buf_init(&f.bytes, SAVED_BYTES);
	err = saved_pack(d, &f.bytes);
	if (err == ERR_OK)
		err = env_offload(d->env, WORK_DISK, file_write_work, &f, WORK_INLINE_MAX);
	buf_fini(&f.bytes);
	if (err != ERR_OK)
		log_warn(d->env, "saving the contacts to %s: %s", d->table_path, err_text(err));
	return err;
}

static int
saved_unpack(struct bytes in, struct network_id net, struct contact *out, size_t cap, size_t *count)
{
	struct unpacker u = unpacker_on(in);
	struct network_id of;
	struct hash sum;
	size_t n, kept = 0;

	if (in.len < sizeof(sum.b))
		return ERR_CORRUPT;
	crypto_sha256(&sum, in.data, in.len - sizeof(sum.b));
	if (memcmp(sum.b, in.data + in.len - sizeof(sum.b), sizeof(sum.b)) != 0)
		return ERR_CORRUPT;
	unpack_expect(&u, SAVED_DOMAIN);
	if (u.failed)
		return ERR_VERSION;
	unpack_raw(&u, of.b, sizeof(of.b));
	if (memcmp(of.b, net.b, sizeof(of.b)) != 0)
		return ERR_WRONG_NETWORK;
	n = unpack_u16(&u);
	for (size_t i = 0; i < n && !u.failed; i++) {
		struct contact c;

		contact_unpack(&u, &c);
		if (!u.failed && kept < cap)
			out[kept++] = c;
	}
	(void)unpack_lend(&u, sizeof(sum.b));
	if (!unpack_done(&u))
		return ERR_CORRUPT;
	*count = kept;
	return ERR_OK;
}

int
dht_table_load(struct dht *d, struct contact *out, size_t cap, size_t *count)
{
	struct table_file f = { .disk = d->env->disk, .path = d->table_path };
	int err;

	if (d->table_path == NULL)
		return ERR_NOT_FOUND;
	buf_init(&f.bytes, SAVED_BYTES);
	err = env_offload(d->env, WORK_DISK, file_read_work, &f, WORK_INLINE_MAX);
	if (err == ERR_OK)
		err = saved_unpack(buf_bytes(&f.bytes), d->net, out, cap, count);
	buf_fini(&f.bytes);
	if (err != ERR_OK && err != ERR_NOT_FOUND)
		log_warn(
		    d->env, "the contacts in %s are not used: %s", d->table_path, err_text(err));
	return err;
}

/* ---- knocking ---- */

static bool
knock_answer(void *arg, size_t i, int err, struct bytes reply)
{
	size_t *answered = arg;

	(void)i;
	(void)reply;
	/* Any answer, even an error, is somebody of this network; the table has heard it. */
	if (err != ERR_TIMEOUT && err != ERR_INVALID && err != ERR_BUSY && err != ERR_CLOSED)
		(*answered)++;
	return *answered > 0;
}

/* Pings all until one answers. */
static int
knock(struct dht *d, const struct contact *to, size_t count)
{
	size_t answered = 0;
	struct fan fan = { .dht = d,
		.to = to,
		.count = count,
		.method = DHT_PING,
		.body = buf_bytes(&d->empty),
		.answer = knock_answer,
		.arg = &answered };
	int err = fan_run(&fan);

	if (err != ERR_OK)
		return err;
	return answered > 0 && table_count(d->table) > 0 ? ERR_OK : ERR_NO_NETWORK;
}

/* Bootstraps first, then whom the saved table names. */
static int
doors(struct dht *d, struct contact **out, size_t *count)
{
	struct contact *all = calloc(KNOCK_MAX, sizeof(*all));
	size_t n = 0, saved = 0;

	if (all == NULL)
		return ERR_NOMEM;
	for (; n < d->bootstraps_count; n++)
		all[n] = d->bootstraps[n];
	/* A failure has been said; it leaves saved at 0. */
	(void)dht_table_load(d, all + n, KNOCK_MAX - n, &saved);
	*out = all;
	*count = n + saved;
	return ERR_OK;
}

/* The doors that nobody waited for: who is still there enters the table. */
struct recheck {
	struct dht *dht;
	struct contact *to;
	size_t count;
};

static bool
recheck_answer(void *arg, size_t i, int err, struct bytes reply)
{
	(void)arg; /* seen by the observer */
	(void)i;
	(void)err;
	(void)reply;
	return false;
}

static int
recheck_run(void *arg)
{
	struct recheck *r = arg;
	struct fan fan = { .dht = r->dht,
		.to = r->to,
		.count = r->count,
		.method = DHT_PING,
		.body = buf_bytes(&r->dht->empty),
		.answer = recheck_answer };
	int err = fan_run(&fan);

	free(r->to);
	free(r);
	return err;
}

/* takes to */
static void
recheck(struct dht *d, struct contact *to, size_t count)
{
	struct recheck *r = calloc(1, sizeof(*r));

	if (r != NULL) {
		*r = (struct recheck){ .dht = d, .to = to, .count = count };
		if (task_spawn(&d->group, "dht recheck", recheck_run, r) == ERR_OK)
			return;
	}
	free(r);
	free(to);
}

static size_t
refresh_want(const struct dht *d, enum refresh what)
{
	if (what == REFRESH_NEAREST)
		return REFRESH_NEAREST_WANT;
	if (what == REFRESH_SAMPLE && dht_size_estimate(d) >= REFRESH_SAMPLE_SIZE)
		return REFRESH_SAMPLE_WANT;
	return DHT_K;
}

/*
 * Disjoint paths cost half as much again; they guard what others could hide from us by owning one
 * path, which is the own neighbourhood. A sample that liars bend is one of many.
 */
int
dht_refresh(struct dht *d, const struct id *target, enum refresh what)
{
	struct walk *w = NULL;
	struct contact closest[DHT_K];
	size_t want = refresh_want(d, what);
	int err = walk_run(d,
	    &(struct walk_opts){ .target = *target,
		.want = want,
		.paths = what == REFRESH_OWN ? DHT_PATHS : 1,
		.method = DHT_FIND_NODE },
	    &w);

	if (err == ERR_OK && what == REFRESH_SAMPLE) {
		size_t n = lookup_closest(&w->state, closest, want);

		size_sample(&d->size, n, want,
		    n == 0 ? 0 : id_distance_top(target, &closest[n - 1].id), env_now(d->env));
	}
	walk_free(w);
	return err;
}

void
dht_joined(struct dht *d)
{
	if (d->joined)
		return;
	d->joined = true;
	dht_announce_plan(d);
	if (d->on_joined != NULL)
		d->on_joined(d->on_joined_arg);
}

int
dht_rejoin(struct dht *d)
{
	struct contact *to;
	size_t count;
	int err = doors(d, &to, &count);

	if (err != ERR_OK)
		return err;
	err = count == 0 ? ERR_NO_NETWORK : knock(d, to, count);
	if (err == ERR_OK)
		err = dht_refresh(d, &d->self, REFRESH_OWN);
	if (err == ERR_OK) {
		dht_joined(d);
		recheck(d, to, count);
	} else {
		free(to);
	}
	return err;
}

static int
join_until(struct dht *d, uint64_t deadline)
{
	struct contact *to;
	size_t count;
	int err = doors(d, &to, &count);

	if (err != ERR_OK)
		return err;
	/* With no door at all this is the first node of its network. */
	while (count > 0) {
		err = knock(d, to, count);
		if (err != ERR_NO_NETWORK || env_now(d->env) + KNOCK_PAUSE >= deadline)
			break;
		err = task_sleep(d->env, KNOCK_PAUSE);
		if (err != ERR_OK)
			break;
	}
	if (err == ERR_OK && count > 0)
		err = dht_refresh(d, &d->self, REFRESH_OWN);
	if (err == ERR_OK && count > 1)
		recheck(d, to, count);
	else
		free(to);
	return err;
}

int
dht_join(struct dht *d, uint64_t timeout)
{
	uint64_t deadline = env_now(d->env) + (timeout == 0 ? JOIN_TIMEOUT : timeout);
	uint64_t old = task_deadline(d->env, deadline);
	int err = join_until(d, deadline);

	task_deadline_restore(d->env, old);
	if (err == ERR_TIMEOUT || err == ERR_UNREACHABLE)
		err = ERR_NO_NETWORK;
	d->neighbourhood_at = env_now(d->env);
	if (err == ERR_OK)
		dht_joined(d);
	/* Upkeep runs in any case: it knocks again while nobody is known. */
	if (err != ERR_CANCELED && !d->stopping && !timer_armed(&d->refresh))
		dht_upkeep_start(d);
	return err;
}
