/*
 * The head and its tail in the cache directory, sealed: written a little after they changed and at
 * the end, by rename and without a sync, since an older file, or none, only tells less. Read when
 * nothing is known and no quorum answers; from there the state is built as from a head that was
 * read, so whatever of root, pages and log is missing is asked of the peers that keep it.
 */
#include "object/map_kept.h"

#include <stdio.h>
#include <stdlib.h>

#include "object/map_chunks.h"
#include "object/map_follow.h"

/* A busy writer moves its head each second. */
#define KEEP_AFTER  SECONDS(5)
/* The state is the same, and was known to be current so much later. */
#define KEEP_AGAIN  MINUTES(1)
#define FIXED_BYTES (8 + 8 + 8 + 32 + 32 + 2 + 4)
#define PLAIN_MAX   (FIXED_BYTES + MAP_LOG_CHUNK_MAX)
/* zstd's bound and the seal. */
#define SEALED_MAX  (PLAIN_MAX + KIB(8))

static const char name[] = "head";

struct kept_job {
	struct map *m;
	struct buf plain, sealed;
	uint8_t nonce[CRYPTO_XNONCE_BYTES];
	char *path;
};

/* NULL: no memory. */
static char *
path_in(const char *cache_dir)
{
	size_t len = strlen(cache_dir) + 1 + sizeof(name);
	char *path = malloc(len);

	if (path != NULL)
		(void)snprintf(path, len, "%s/%s", cache_dir, name);
	return path;
}

/* False: there is no directory, or no memory. */
static bool
job_init(struct kept_job *j, struct map *m)
{
	memset(j, 0, sizeof(*j));
	j->m = m;
	buf_init_secret(&j->plain, PLAIN_MAX);
	buf_init(&j->sealed, SEALED_MAX);
	if (m->cache_dir.path != NULL)
		j->path = path_in(m->cache_dir.path);
	return j->path != NULL;
}

static void
job_fini(struct kept_job *j)
{
	buf_wipe(&j->plain);
	buf_fini(&j->sealed);
	free(j->path);
}

/* ---- writing ---- */

static int
pack_kept(const struct map_target *t, uint64_t current_ms, struct buf *out)
{
	uint8_t fixed[FIXED_BYTES];
	struct packer p = packer_on(fixed, sizeof(fixed));
	int err;

	pack_u64(&p, current_ms);
	pack_u64(&p, t->head.epoch);
	pack_u64(&p, t->head.seq);
	pack_raw(&p, t->head.id.b, sizeof(t->head.id.b));
	pack_raw(&p, t->head.root.b, sizeof(t->head.root.b));
	pack_u16(&p, t->head.segments);
	pack_u32(&p, t->head.tail_bytes);
	must(pack_ok(&p));
	err = buf_append(out, fixed, p.len);
	if (err == ERR_OK && t->records.len > 0)
		err = buf_append(out, t->records.data, t->records.len);
	return err;
}

static int
write_work(void *arg)
{
	struct kept_job *j = arg;
	struct sealing_text text = { SEALING_KEPT, 0, buf_bytes(&j->plain) };
	int err = sealing_seal(&j->m->sealing, &text, j->nonce, &j->sealed);

	return err == ERR_OK ? disk_replace_file(j->m->env->disk, j->path, buf_bytes(&j->sealed))
			     : err;
}

static bool
is_due(const struct map *m)
{
	const struct map_head *h = m->opts.reg->head(m->opts.reg);

	/* Only what is known as a whole, and was the register's word at the time that is told. */
	return m->cache_dir.path != NULL && m->loaded && h->present && m->current_ms != 0 &&
	       m->epoch == h->epoch && hash_equal(&m->head_id, &h->id) &&
	       (!hash_equal(&m->kept_id, &h->id) ||
		   m->current_ms >= m->kept_ms + KEEP_AGAIN / MILLISECONDS(1));
}

SUSPENDS void
map_kept_write(struct map *m)
{
	struct kept_job j;
	struct map_target t;
	uint64_t now_ms = m->current_ms;
	int err;

	if (!is_due(m))
		return;
	err = map_target_take(m, 0, &t);
	if (!job_init(&j, m))
		err = ERR_NOMEM;
	env_random(m->env, j.nonce, sizeof(j.nonce));
	if (err == ERR_OK)
		err = pack_kept(&t, now_ms, &j.plain);
	if (err == ERR_OK)
		err = env_offload(m->env, WORK_DISK, write_work, &j, WORK_INLINE_MAX);
	job_fini(&j);
	if (err == ERR_OK) {
		m->kept_id = t.head.id;
		m->kept_ms = now_ms;
	} else {
		log_debug(m->env, "the head is not kept here: %s", err_text(err));
	}
	buf_fini(&t.records);
}

int
map_keeper(void *map)
{
	struct map *m = map;

	map_kept_write(m);
	m->working[MAP_WORK_KEEP] = false;
	return ERR_OK;
}

void
map_kept_fire(void *map)
{
	map_start(map, MAP_WORK_KEEP);
}

void
map_kept_arm(struct map *m)
{
	if (is_due(m) && !timer_armed(&m->keep_timer) && !m->working[MAP_WORK_KEEP])
		timer_start(&m->keep_timer, KEEP_AFTER);
}

/* ---- reading ---- */

static int
read_work(void *arg)
{
	struct kept_job *j = arg;
	struct sealing_text text = { SEALING_KEPT, 0, { NULL, 0 } };
	int err = disk_read_file(j->m->env->disk, j->path, &j->sealed);

	text.in = buf_bytes(&j->sealed);
	return err == ERR_OK ? sealing_open(&j->m->sealing, &text, &j->plain) : err;
}

static int
unpack_kept(struct bytes in, struct map_target *out, uint64_t *current_ms)
{
	struct unpacker u = unpacker_on(in);
	struct bytes records;

	*current_ms = unpack_u64(&u);
	out->head.present = true;
	out->head.epoch = unpack_u64(&u);
	out->head.seq = unpack_u64(&u);
	unpack_raw(&u, out->head.id.b, sizeof(out->head.id.b));
	unpack_raw(&u, out->head.root.b, sizeof(out->head.root.b));
	out->head.segments = unpack_u16(&u);
	out->head.tail_bytes = unpack_u32(&u);
	records = unpack_lend(&u, unpack_left(&u));
	if (u.failed || out->head.seq == 0 || *current_ms == 0)
		return ERR_CORRUPT;
	return records.len == 0 ? ERR_OK : buf_append(&out->records, records.data, records.len);
}

SUSPENDS int
map_kept_read(struct map *m)
{
	struct map_target t = { .head = { .present = false } };
	struct kept_job j;
	uint64_t current_ms = 0;
	int err = ERR_NOT_FOUND;

	buf_init(&t.records, MAP_LOG_CHUNK_MAX);
	if (job_init(&j, m)) {
		err = env_offload(m->env, WORK_DISK, read_work, &j, WORK_INLINE_MAX);
		if (err == ERR_OK)
			err = unpack_kept(buf_bytes(&j.plain), &t, &current_ms);
	}
	job_fini(&j);
	if (err == ERR_OK)
		err = map_follow_to(m, &t);
	if (err == ERR_OK) {
		m->current_ms = m->kept_ms = current_ms;
		m->kept_id = t.head.id;
	}
	buf_fini(&t.records);
	return err;
}

/* ---- looking ---- */

struct look {
	struct disk *disk;
	char *path;
};

static int
look_work(void *arg)
{
	struct look *l = arg;
	struct file *f;
	int err = disk_open(l->disk, l->path, FILE_READ, &f);

	if (err == ERR_OK)
		file_close(f);
	return err;
}

SUSPENDS bool
map_kept_in(struct env *env, const char *cache_dir)
{
	struct look l = { env->disk, path_in(cache_dir) };
	bool there =
	    l.path != NULL && env_offload(env, WORK_DISK, look_work, &l, WORK_INLINE_MAX) == ERR_OK;

	free(l.path);
	return there;
}
