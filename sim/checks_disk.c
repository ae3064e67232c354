/*
 * Checkers of disks: no secret lies there, and what lies there is sound. The search goes over the
 * raw bytes of every file, so it does not depend on formats. What it cannot see: a secret that is
 * stored changed, e.g. compressed.
 */
#include <stdio.h>
#include <stdlib.h>

#include "sim/checks.h"
#include "storage/store_check.h"

#define PIECE_BYTES  KIB(256)
#define SECRET_BYTES 32
#define PATH_MAX_SIM 256
#define SECRETS_MAX  512

struct secret {
	uint8_t b[SECRET_BYTES];
	size_t len;
	const char *what;
};

struct search {
	struct checks *checks;
	const struct member *member;
	struct disk *disk;
	char dir[PATH_MAX_SIM];
	uint8_t *piece;
	struct secret secrets[SECRETS_MAX];
	size_t secrets_count;
};

static void
add_secret(struct search *s, const void *bytes, size_t len, const char *what)
{
	struct secret *to = &s->secrets[s->secrets_count];

	if (s->secrets_count == SECRETS_MAX)
		return;
	s->secrets_count++;
	memcpy(to->b, bytes, MIN(len, (size_t)SECRET_BYTES));
	to->len = MIN(len, (size_t)SECRET_BYTES);
	to->what = what;
}

static void
search_piece(struct search *s, const char *path, uint64_t offset, size_t len)
{
	for (size_t i = 0; i < s->secrets_count; i++) {
		const uint8_t *at = memmem(s->piece, len, s->secrets[i].b, s->secrets[i].len);

		if (at != NULL)
			checks_fail(s->checks, "secrets", "member %u has %s in %s at %llu",
			    s->member->index, s->secrets[i].what, path,
			    (unsigned long long)(offset + (uint64_t)(at - s->piece)));
	}
	s->checks->looked++;
}

static void
search_file(struct search *s, const char *path)
{
	struct file *f;
	uint64_t offset = 0;
	size_t got;

	if (disk_open(s->disk, path, FILE_READ, &f) != ERR_OK)
		return; /* a directory */
	/* Pieces overlap, so that nothing hides on a border. */
	while (file_read(f, offset, s->piece, PIECE_BYTES, &got) == ERR_OK && got > 0) {
		search_piece(s, path, offset, got);
		if (got < PIECE_BYTES)
			break;
		offset += PIECE_BYTES - SECRET_BYTES;
	}
	file_close(f);
}

static int
search_entry(void *arg, const char *name)
{
	struct search *s = arg;
	char path[2 * PATH_MAX_SIM];

	(void)snprintf(path, sizeof(path), "%s/%s", s->dir, name);
	search_file(s, path);
	return ERR_OK;
}

void
checks_secrets(struct checks *c, struct workload *w)
{
	struct search *s = calloc(1, sizeof(*s));

	must(s != NULL);
	s->checks = c;
	s->piece = malloc(PIECE_BYTES);
	must(s->piece != NULL);
	add_secret(s, USER_MARK, sizeof(USER_MARK) - 1, "plaintext");
	for (size_t i = 0; i < workload_objects(w); i++)
		add_secret(s, workload_object(w, i)->link.key.b, sizeof(struct key),
		    "an object's read key");
	for (size_t i = 0; i < workload_users(w); i++)
		add_secret(s, user_account(workload_user(w, i))->seed.b, sizeof(struct key),
		    "an account's seed");
	for (size_t i = 0; i < fleet_count(c->fleet); i++) {
		const struct member *m = fleet_member(c->fleet, i);

		if (m->disk == NULL || sim_disk_crashed(m->disk))
			continue;
		s->member = m;
		s->disk = sim_disk_base(m->disk);
		(void)snprintf(s->dir, sizeof(s->dir), "%s", FLEET_DIR);
		(void)disk_list(s->disk, s->dir, search_entry, s);
		(void)snprintf(s->dir, sizeof(s->dir), "%s/store", FLEET_DIR);
		(void)disk_list(s->disk, s->dir, search_entry, s);
	}
	crypto_wipe(s->secrets, sizeof(s->secrets));
	free(s->piece);
	free(s);
}

/* ---- a stopped member's store ---- */

struct store_checking {
	struct checks *checks;
	struct member *member;
	struct env *env;
	struct store_check_result result;
	char line[CHECKS_TEXT_MAX];
};

static void
on_line(void *arg, const char *line)
{
	struct store_checking *s = arg;

	if (s->line[0] == '\0')
		(void)snprintf(s->line, sizeof(s->line), "%.200s", line);
}

static int
check_run(void *arg)
{
	struct store_checking *s = arg;

	return store_check(&(struct store_opts){ .env = s->env,
			       .dir = FLEET_DIR "/store",
			       .net = fleet_net(s->checks->fleet),
			       .capacity_bytes = fleet_scenario(s->checks->fleet)->capacity_bytes,
			       .segment_bytes = MIB(4),
			       .reserve_bytes = MIB(1),
			       .index_in_memory = true,
			       .read_only = true },
	    on_line, NULL, s, &s->result);
}

void
checks_store(struct checks *c, struct member *m)
{
	struct store_checking s = { .checks = c, .member = m };
	int err;

	must(m->state == MEMBER_OFFLINE);
	if (m->disk == NULL)
		return;
	s.env = sim_node_add(fleet_world(c->fleet),
	    &(struct sim_node_opts){ .ip = m->contact.addr, .region = -1, .disk = m->disk });
	err = sim_run_task(fleet_world(c->fleet), s.env, check_run, &s);
	sim_node_remove(s.env);
	c->looked += 1 + s.result.shards;
	if (err != ERR_OK && err != ERR_NOT_FOUND)
		checks_fail(c, "stores", "the store of member %u cannot be checked: %s", m->index,
		    err_text(err));
	else if (s.result.bad_records != 0 || s.result.bad_shards != 0)
		checks_fail(c, "stores",
		    "the store of member %u has %llu bad records, %llu bad shards: %s", m->index,
		    (unsigned long long)s.result.bad_records,
		    (unsigned long long)s.result.bad_shards, s.line);
}
