/*
 * The index of a bucket with many objects: filled in large transactions through the object layer,
 * by a child of ours; then the machine is lost, and `skerry recover` with the phrase and one
 * address, and listings, are timed as processes of their own. What the index takes on the peers'
 * disks is looked at when they have stopped. Objects are of OBJECT_BYTES, which lie in the index
 * itself.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/bench.h"
#include "cmd/bucket_make.h"
#include "cmd/buckets.h"
#include "cmd/dirs.h"
#include "cmd/json.h"
#include "cmd/say.h"
#include "cmd/spawn.h"
#include "object/bucket_refs.h"
#include "object/content.h"

#define BUCKET       "bench"
#define LOCATION     "code:4/5/6"
#define SHARDS_PER_K (6.0 / 4) /* as LOCATION says */
#define OBJECT_BYTES 100
/* Sealed they fit a segment of the tail (MAP_SEGMENT_MAX), packed a transaction. */
#define BATCH        300
/* Commits that wait together: one is on its way while the next is made. */
#define AT_ONCE      2

/* What the child that fills it tells; shared with it. */
struct fill {
	uint64_t next, plain_bytes;
	double wall;
	uint8_t anchors;
	struct map_sight map;
};
struct buckets_bench {
	struct bench_net net;
	struct fill *fill;
	char words[PATH_BYTES_MAX], machine[PATH_BYTES_MAX];
	struct bench_run recover, whole, again, lines;
	uint64_t first_ms, found;
	double disk_bytes;
};

/* ---- filling, in the child ---- */

struct filling {
	struct buckets_bench *x;
	struct buckets buckets;
	struct cloud_bucket *bucket;
	uint64_t objects;
	int err;
};
struct batch {
	struct filling *f;
	uint64_t from, count, plain;
};

static uint64_t
mix(uint64_t v) /* splitmix64: bytes that do not compress, the same in each run */
{
	v += 0x9e3779b97f4a7c15ULL;
	v = (v ^ (v >> 30)) * 0xbf58476d1ce4e5b9ULL;
	v = (v ^ (v >> 27)) * 0x94d049bb133111ebULL;
	return v ^ (v >> 31);
}

static SUSPENDS int
put_one(struct batch *b, struct bucket_txn *t, uint64_t i)
{
	static const struct conditions none;
	const char *owner = cloud_number(b->f->buckets.cloud);
	uint8_t data[OBJECT_BYTES];
	struct bucket_done done;
	struct content c;
	struct buf form, packed;
	char key[64];
	struct entry e = { .size = OBJECT_BYTES, .modified_ms = t->now_ms };
	int err;

	for (size_t at = 0; at < sizeof(data); at++)
		data[at] = (uint8_t)(mix(i * OBJECT_BYTES + at) >> 32);
	for (size_t at = 0; at < sizeof(e.etag.md5); at++)
		e.etag.md5[at] = (uint8_t)(mix(~(i * 16 + at)) >> 32);
	(void)snprintf(key, sizeof(key), "photos/%04" PRIu64 "/IMG_%08" PRIu64 ".jpg", i / 1000, i);
	e.owner = bytes_of(owner, strlen(owner));
	content_init(&c);
	buf_init(&form, CONTENT_FORM_MAX);
	buf_init(&packed, KV_VALUE_MAX);
	c.kind = CONTENT_INLINE;
	c.bytes = sizeof(data);
	err = buf_append(&c.list.inline_data, data, sizeof(data));
	if (err == ERR_OK)
		err = content_pack(&c, &form);
	e.content = buf_bytes(&form);
	if (err == ERR_OK)
		err = entry_pack(&e, &packed);
	if (err == ERR_OK)
		err = bucket_put(t, bytes_of(key, strlen(key)), &none, &e, &done);
	b->plain += strlen(key) + packed.len;
	buf_fini(&packed);
	buf_fini(&form);
	content_fini(&c);
	return err;
}

static SUSPENDS int
put_batch(void *arg, struct kv *txn)
{
	struct batch *b = arg;
	struct env *env = b->f->buckets.c->env;
	struct bucket_txn t = { .kv = txn, .refs = &bucket_refs, .now_ms = env_wall_ms(env) };
	int err = ERR_OK;

	b->plain = 0; /* it may run again */
	env_random(env, t.random, sizeof(t.random));
	for (uint64_t i = 0; i < b->count && err == ERR_OK; i++)
		err = put_one(b, &t, b->from + i);
	return err;
}

static SUSPENDS int
filler(void *arg)
{
	struct filling *f = arg;
	struct fill *told = f->x->fill;

	while (f->err == ERR_OK && told->next < f->objects) {
		struct batch b = { .f = f, .from = told->next };
		int err;

		b.count = MIN(f->objects - b.from, BATCH);
		told->next += b.count;
		err = cloud_bucket_update(f->bucket, put_batch, &b, NULL);
		told->plain_bytes += b.plain;
		if (err != ERR_OK)
			f->err = err;
	}
	return f->err;
}

static SUSPENDS int
fill_bucket(struct filling *f)
{
	struct task_group group;
	int err = ERR_OK;

	task_group_init(&group, f->buckets.c->env);
	for (int i = 0; i < AT_ONCE && err == ERR_OK; i++)
		err = task_spawn(&group, "fill", filler, f);
	if (err == ERR_OK)
		(void)task_group_wait(&group, 0);
	task_group_fini(&group);
	return err == ERR_OK ? f->err : err;
}

static SUSPENDS int
make_and_fill(struct filling *f)
{
	struct client *c = f->buckets.c;
	struct fill *told = f->x->fill;
	struct bucket_make first = { .location = LOCATION, .now_ms = env_wall_ms(c->env) };
	struct cloud_create w = {
		.name = BUCKET, .location = LOCATION, .first = bucket_make, .arg = &first
	};
	uint64_t began;
	int err;

	(void)snprintf(
	    first.owner.text, sizeof(first.owner.text), "%s", cloud_number(f->buckets.cloud));
	err = cloud_bucket_create(f->buckets.cloud, &w);
	if (err == ERR_OK)
		err = cloud_bucket_open(f->buckets.cloud, BUCKET, &f->bucket);
	if (err != ERR_OK)
		return err;
	began = env_now(c->env);
	err = fill_bucket(f);
	if (err == ERR_OK)
		err = map_checkpoint(cloud_bucket_map(f->bucket));
	told->wall = (double)(env_now(c->env) - began) / 1e9;
	map_sight(cloud_bucket_map(f->bucket), &told->map);
	told->anchors = head_client_configuration(ground_net_client(cloud_bucket_ground(f->bucket)))
			    ->anchors_count;
	cloud_bucket_close(f->bucket);
	return err;
}

static SUSPENDS int
fill_task(void *arg)
{
	struct filling *f = arg;
	int err = make_and_fill(f);

	return err == ERR_OK ? EXIT_OK : buckets_fail(f->buckets.c, err, "fill the bucket");
}

/* No thread of ours runs yet, so the child is a whole process. */
static pid_t
start_filling(void *arg)
{
	struct buckets_bench *x = arg;
	struct client_options options = CLIENT_OPTIONS_DEFAULT;
	struct filling f = { .x = x, .objects = x->net.b->objects };
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	options.dir = x->net.net;
	options.quiet = true;
	_exit(buckets_run(&(struct buckets_work){ .command = x->net.b->command,
	    .options = &options,
	    .how = CLOUD_FOUND,
	    .buckets = &f.buckets,
	    .run = fill_task,
	    .arg = &f }));
}

/* ---- the machine is lost ---- */

/* All that is left: the words, on paper. */
static int
write_words(struct buckets_bench *x)
{
	char words[PHRASE_TEXT_MAX];
	struct account account;
	int fd, err = client_account(x->net.b->command, x->net.net, NULL, &account);

	if (err != ERR_OK)
		return err;
	phrase_from_seed(&account.seed, words);
	account_wipe(&account);
	fd = open(x->words, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, words, strlen(words)) != (ssize_t)strlen(words))
		err = err_from_errno(errno);
	if (fd >= 0)
		(void)close(fd);
	crypto_wipe(words, sizeof(words));
	return err;
}

static pid_t
start_command(void *arg)
{
	return spawn(arg);
}

/* Its output, of one line of JSON, into *out; NULL: thrown away. */
static int
timed(
    struct buckets_bench *x, const char *const *argv, struct bench_run *r, struct json_value **out)
{
	struct spawn_opts opts = { x->net.program, argv, -1, -1, STDERR_FILENO };
	struct buf text;
	int err = ERR_OK;

	if (out != NULL) {
		opts.out = open(x->net.output, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		err = opts.out < 0 ? err_from_errno(errno) : ERR_OK;
	}
	if (err == ERR_OK)
		err = bench_timed(&x->net, start_command, &opts, r);
	if (opts.out >= 0)
		(void)close(opts.out);
	buf_init(&text, MIB(1));
	if (err == ERR_OK && out != NULL)
		err = disk_read_file(disk_real(), x->net.output, &text);
	if (err == ERR_OK && out != NULL)
		err = json_parse((const char *)text.data, text.len, out);
	buf_fini(&text);
	return err;
}

static int
recover(struct buckets_bench *x)
{
	const struct json_value *list;
	struct settings settings;
	char why[SETTINGS_ERROR_MAX];
	struct json_value *told = NULL;
	int err;

	settings_default(&settings);
	err = settings_load(x->net.net, &settings, why);
	if (err == ERR_OK && settings.bootstraps.count == 0)
		err = ERR_INVALID;
	if (err == ERR_OK) {
		const char *argv[] = { x->net.program, "recover", "--dir", x->machine,
			"--phrase-file", x->words, "--network", settings.network, "--bootstrap",
			settings.bootstraps.text[0], "--test-network", "--pow-bits", "0", "--json",
			NULL };

		err = timed(x, argv, &x->recover, &told);
	}
	if (err == ERR_OK) {
		list = json_child(told, "buckets");
		if (json_count(list) != 1)
			err = bench_failed(&x->net, "the bucket did not come back");
		else
			x->first_ms = json_number(json_at(list, 0), "after_ms");
	}
	json_free(told);
	return err;
}

static int
count_all(struct buckets_bench *x, struct bench_run *r)
{
	const char *argv[] = { x->net.program, "du", "sk://" BUCKET, "--dir", x->machine, "--json",
		NULL };
	struct json_value *told = NULL;
	int err = timed(x, argv, r, &told);

	if (err == ERR_OK)
		x->found = json_number(told, "objects");
	json_free(told);
	if (err == ERR_OK && x->found != x->net.b->objects)
		err = bench_failed(&x->net, "not every object came back");
	return err;
}

static int
measure(struct buckets_bench *x)
{
	const char *lines[] = { x->net.program, "ls", "-r", "sk://" BUCKET, "--dir", x->machine,
		NULL };
	struct bench_run run;
	int err = bench_net_start(&x->net);

	if (err == ERR_OK)
		err = bench_timed(&x->net, start_filling, x, &run);
	if (err == ERR_OK)
		err = write_words(x);
	if (err == ERR_OK)
		err = recover(x);
	if (err == ERR_OK)
		err = count_all(x, &x->whole);
	if (err == ERR_OK)
		err = count_all(x, &x->again);
	if (err == ERR_OK)
		err = timed(x, lines, &x->lines, NULL);
	return err;
}

/* ---- what lies on the peers' disks ---- */

/* Of all regular files below path. */
static int
add_blocks(const char *path, double *sum)
{
	DIR *d = opendir(path);
	struct dirent *e;
	int err = d == NULL ? err_from_errno(errno) : ERR_OK;

	while (err == ERR_OK && (e = readdir(d)) != NULL) {
		char below[PATH_BYTES_MAX];
		struct stat st;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		err = dirs_path(path, e->d_name, below);
		if (err == ERR_OK && lstat(below, &st) != 0)
			err = err_from_errno(errno);
		if (err == ERR_OK && S_ISREG(st.st_mode))
			*sum += (double)st.st_blocks * 512;
		else if (err == ERR_OK && S_ISDIR(st.st_mode))
			err = add_blocks(below, sum);
	}
	if (d != NULL)
		(void)closedir(d);
	return err;
}

static int
disk_bytes(struct buckets_bench *x)
{
	int err = ERR_OK;

	for (size_t i = 1; i <= x->net.peers_count && err == ERR_OK; i++) {
		char name[32], path[PATH_BYTES_MAX];

		(void)snprintf(name, sizeof(name), "peer-%zu", i);
		err = dirs_path(x->net.net, name, path);
		if (err == ERR_OK)
			err = add_blocks(path, &x->disk_bytes);
	}
	return err;
}

/* ---- telling ---- */

struct figures {
	double objects, rate, plain, sealed, disk, wire, list, list_again, lines;
};

/* Each sealed byte of a record goes to every anchor, of a chunk to n of k holders. */
static void
work_out(const struct buckets_bench *x, struct figures *f)
{
	const struct map_sight *m = &x->fill->map;
	double chunks =
	    (double)(m->written_logs + m->written_roots + m->written_pages + m->written_lists);

	f->objects = (double)x->net.b->objects;
	f->rate = f->objects / x->fill->wall;
	f->plain = (double)x->fill->plain_bytes / f->objects;
	f->sealed = (double)m->page_bytes / f->objects;
	f->disk = x->disk_bytes / f->objects;
	f->wire = ((double)m->written_records * x->fill->anchors + chunks * SHARDS_PER_K) /
		  (double)x->fill->plain_bytes;
	f->list = f->objects / x->whole.wall;
	f->list_again = f->objects / x->again.wall;
	f->lines = f->objects / x->lines.wall;
}

static int
tell_json(const struct buckets_bench *x, const struct figures *f)
{
	const struct map_sight *m = &x->fill->map;
	struct json_value *o = json_make_object();

	json_put_number(o, "objects", x->net.b->objects);
	json_put_real(o, "fill_s", x->fill->wall);
	json_put_real(o, "index_bytes_per_object", f->plain);
	json_put_real(o, "sealed_bytes_per_object", f->sealed);
	json_put_real(o, "disk_bytes_per_object", f->disk);
	json_put_real(o, "network_write_amplification", f->wire);
	json_put_number(o, "commits", m->commits);
	json_put_number(o, "checkpoints", m->own_checkpoints);
	json_put_number(o, "first_listing_ms", x->first_ms);
	json_put_real(o, "recover_s", x->recover.wall);
	json_put_real(o, "whole_index_s", x->whole.wall);
	json_put_real(o, "whole_index_again_s", x->again.wall);
	json_put_real(o, "ls_s", x->lines.wall);
	json_put_real(o, "listed_per_s", f->list);
	json_put_real(o, "listed_again_per_s", f->list_again);
	json_put_real(o, "ls_lines_per_s", f->lines);
	return json_say(o);
}

static int
tell(const struct buckets_bench *x)
{
	const struct map_sight *m = &x->fill->map;
	struct figures f;

	work_out(x, &f);
	if (x->net.b->json)
		return tell_json(x, &f);
	printf("a bucket of %" PRIu64 " objects of %d bytes, which lie in the index; six peers, "
	       "code 4/5/6, %d anchors\n",
	    x->net.b->objects, OBJECT_BYTES, x->fill->anchors);
	printf("  filled in %.1f s, %.0f objects a second; %" PRIu64 " commits, %" PRIu64
	       " checkpoints, %" PRIu64 " pages\n",
	    x->fill->wall, f.rate, m->commits, m->own_checkpoints, m->pages);
	printf("  bytes for each object: key and entry %.0f; in sealed pages %.0f; on the peers' "
	       "disks, all in all, %.0f\n",
	    f.plain, f.sealed, f.disk);
	printf("  sent to peers for each byte of keys and entries: %.2f (records to %d anchors; "
	       "log, roots, pages, lists coded)\n",
	    f.wire, x->fill->anchors);
	printf("\nthe machine is lost; its words and the address of one peer are left\n");
	printf("  %-52s %8.2f s\n", "the bucket is listed (its first objects) after",
	    (double)x->first_ms / 1000);
	printf("  %-52s %8.2f s\n", "skerry recover, from start to end", x->recover.wall);
	printf("  %-52s %8.2f s  %10.0f objects/s\n", "then the whole index, from the peers (du)",
	    x->whole.wall, f.list);
	printf("  %-52s %8.2f s  %10.0f objects/s\n", "again, from the cache (du)", x->again.wall,
	    f.list_again);
	printf("  %-52s %8.2f s  %10.0f objects/s\n", "all names, from the cache (ls -r)",
	    x->lines.wall, f.lines);
	return ferror(stdout) || fflush(stdout) != 0 ? ERR_IO : ERR_OK;
}

int
bench_buckets_run(struct bench *b)
{
	struct buckets_bench *x = calloc(1, sizeof(*x));
	int err = x == NULL ? ERR_NOMEM : ERR_OK;

	if (err != ERR_OK)
		return err;
	x->fill =
	    mmap(NULL, sizeof(*x->fill), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (x->fill == MAP_FAILED) {
		free(x);
		return ERR_NOMEM;
	}
	err = bench_net_init(&x->net, b);
	x->net.peers_count = 6;
	x->net.code = "4/5/6";
	if (err == ERR_OK)
		err = dirs_path(b->dir, "words", x->words);
	if (err == ERR_OK)
		err = dirs_path(b->dir, "machine", x->machine);
	if (err == ERR_OK)
		err = measure(x);
	bench_net_stop(&x->net);
	if (err == ERR_OK)
		err = disk_bytes(x);
	if (err == ERR_OK)
		err = tell(x);
	(void)munmap(x->fill, sizeof(*x->fill));
	free(x);
	return err;
}
