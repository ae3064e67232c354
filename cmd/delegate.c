/* The file is a secret: readable by its owner alone, or it is not used. */
#include "cmd/delegate.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cmd/dirs.h"
#include "cmd/json.h"
#include "cmd/say.h"

#define DAY_MS (24ULL * 3600 * 1000)

struct file_job {
	struct disk *disk;
	const char *path;
	struct buf text;
};

/* ---- making ---- */

static int
write_work(void *arg)
{
	struct file_job *j = arg;

	return dirs_exists(j->path) ? ERR_EXISTS
				    : disk_write_file(j->disk, j->path, buf_bytes(&j->text));
}

static int
tell_made(const struct delegation *d, const char *path, bool json)
{
	if (json) {
		struct json_value *o = json_make_object();

		json_put_text(o, "file", path);
		json_put_text(o, "access_key", d->key.id);
		json_put_text(o, "secret_key", d->key.secret);
		json_put_number(o, "expires_ms", d->expires_ms);
		return json_say(o);
	}
	return printf("file        %s\naccess key  %s\nsecret      %s\n", path, d->key.id,
		   d->key.secret) < 0 ||
		       fflush(stdout) != 0
		   ? ERR_IO
		   : ERR_OK;
}

SUSPENDS int
delegate_make(
    struct buckets *b, const char *path, const struct access_key *key, uint64_t days, bool json)
{
	struct client *c = b->c;
	struct delegation *d = calloc(1, sizeof(*d));
	struct file_job job = { .disk = c->env->disk, .path = path };
	int err = d == NULL ? ERR_NOMEM : ERR_OK;

	buf_init_secret(&job.text, DELEGATION_BYTES_MAX);
	if (err == ERR_OK && dirs_exists(path))
		err = ERR_EXISTS;
	if (err == ERR_OK) {
		d->key = *key;
		d->expires_ms = env_wall_ms(c->env) + days * DAY_MS;
		err = cloud_delegate_create(b->cloud, d);
	}
	if (err == ERR_OK)
		err = delegation_pack(d, c->net, &job.text);
	if (err == ERR_OK)
		err = env_offload(c->env, WORK_DISK, write_work, &job, WORK_INLINE_MAX);
	if (err == ERR_OK)
		err = tell_made(d, path, json);
	/* What was noted stays to be revoked. */
	if (err != ERR_OK && d != NULL && d->key.id[0] != '\0')
		say_note("its access key would have been %s: revoke it, or try again", d->key.id);
	buf_wipe(&job.text);
	if (d != NULL)
		delegation_wipe(d);
	free(d);
	return err == ERR_OK ? EXIT_OK : buckets_fail(c, err, "delegate to %s", path);
}

/* ---- telling ---- */

int
delegate_tell(const struct cloud_delegate *d, bool json)
{
	char clean[4 * ACCESS_LABEL_MAX + 1], when[SAY_TIME_MAX];
	struct json_value *o, *grants;

	if (!json) {
		printf("%s  ends %-20s  delegate  %s\n", d->id,
		    say_time(d->expires_ms / 1000, SAY_MINUTE, when),
		    say_clean(d->label, clean, sizeof(clean)));
		for (size_t i = 0; i < d->count; i++)
			printf("  %-16s %s\n", access_rights_text(d->buckets[i].rights),
			    d->buckets[i].name);
		return ferror(stdout) ? ERR_IO : ERR_OK;
	}
	o = json_make_object();
	grants = json_make_array();
	json_put_text(o, "access_key", d->id);
	json_put_flag(o, "delegate", true);
	json_put_text(o, "label", d->label);
	json_put_number(o, "created_ms", d->created_ms);
	json_put_number(o, "expires_ms", d->expires_ms);
	for (size_t i = 0; i < d->count; i++) {
		struct json_value *g = json_make_object();

		json_put_text(g, "bucket", d->buckets[i].name);
		json_put_text(g, "rights", access_rights_text(d->buckets[i].rights));
		json_add_value(grants, g);
	}
	json_put_value(o, "grants", grants);
	return json_say(o);
}

/* ---- reading ---- */

static int
read_work(void *arg)
{
	struct file_job *j = arg;
	struct stat st;

	if (stat(j->path, &st) != 0)
		return ERR_NOT_FOUND;
	if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		return ERR_PERMISSION;
	return disk_read_file(j->disk, j->path, &j->text);
}

SUSPENDS int
delegate_read(const struct client *c, const char *path, struct delegation *out)
{
	struct file_job job = { .disk = c->env->disk, .path = path };
	int err;

	buf_init_secret(&job.text, DELEGATION_BYTES_MAX);
	err = env_offload(c->env, WORK_DISK, read_work, &job, WORK_INLINE_MAX);
	if (err == ERR_OK)
		err = delegation_unpack(buf_bytes(&job.text), c->net, out);
	else if (err == ERR_PERMISSION)
		say_error(
		    c->command, "%s is open to others; right would be: chmod 600 %s", path, path);
	if (err != ERR_OK && err != ERR_PERMISSION)
		say_error(c->command, "cannot use %s: %s", path,
		    err == ERR_AUTH ? "it is not as the owner signed it" : err_text(err));
	buf_wipe(&job.text);
	if (err == ERR_OK && env_wall_ms(c->env) >= out->expires_ms) {
		say_error(c->command, "%s has ended: the owner can make another", path);
		delegation_wipe(out);
		err = ERR_PERMISSION;
	}
	return err;
}
