/* What a move stands on: only the version that was read is deleted, whatever was put meanwhile. */
#include "cmd/objects.h"

#include "cmd/bucket_make.h"
#include "overlay/base/crypto.h"
#include "overlay/base/env_real.h"
#include "test/unit/gateway/realm_mem.h"
#include "test/unit/suite.h"

struct world {
	struct env *env;
	struct realm_mem *realm;
	struct realm_bucket *plain, *versioned;
	int (*story)(struct world *w);
	const char *next; /* the bytes of the put under way */
	struct object_facts read;
};

static struct bytes
text(const char *s)
{
	return bytes_of(s, strlen(s));
}

/* ---- the vocabulary ---- */

static struct realm_bucket *
make_bucket(struct world *w, const char *name, bool versioning)
{
	struct realm *r = realm_mem_realm(w->realm);
	const struct realm_account *owner = &realm_mem_key(w->realm, 0)->account;
	struct bucket_make make = {
		.owner = owner->id, .location = "", .now_ms = 1, .versioning = versioning
	};
	struct realm_bucket *b;

	must(r->ops->create(r, owner, name, "", bucket_make, &make, &b) == ERR_OK);
	return b;
}

static int
next_bytes(void *arg, struct bytes *lent)
{
	struct world *w = arg;

	if (w->next == NULL)
		return ERR_END;
	*lent = text(w->next);
	w->next = NULL;
	return ERR_OK;
}

static void
put(struct world *w, struct realm_bucket *b, const char *key, const char *bytes)
{
	struct object_put p = { .next = next_bytes, .length = strlen(bytes), .arg = w };

	w->next = bytes;
	must(object_put(w->env, b, text(key), &p) == ERR_OK);
}

/* Whether it has these bytes; NULL: whether there is none. */
static bool
has(struct realm_bucket *b, const char *key, const char *bytes)
{
	const struct version_ref latest = { .which = VERSION_LATEST };
	struct object_facts f;
	struct etag etag = { .parts = 0 };
	struct md5 *md5 = md5_new();
	int err = object_facts(b, text(key), &latest, &f);

	if (bytes != NULL)
		md5_update(md5, text(bytes).data, strlen(bytes));
	md5_final(md5, etag.md5);
	md5_free(md5);
	if (bytes == NULL)
		return err == REFUSAL_NO_SUCH_KEY;
	return err == ERR_OK && memcmp(f.etag.md5, etag.md5, sizeof(etag.md5)) == 0;
}

static int
started(void *arg, const struct object_facts *facts)
{
	struct world *w = arg;

	w->read = *facts;
	return ERR_OK;
}

static int
written(void *arg, uint64_t offset, const uint8_t *src, size_t len)
{
	(void)arg, (void)offset, (void)src, (void)len;
	return ERR_OK;
}

static void
get(struct world *w, struct realm_bucket *b, const char *key)
{
	struct object_get g = { .which.which = VERSION_LATEST,
		.target = { .write = written, .arg = w },
		.started = started,
		.arg = w };

	must(object_get(w->env, b, text(key), &g) == ERR_OK);
}

static void
copy(struct world *w, struct realm_bucket *from, struct realm_bucket *to)
{
	struct object_copy c = { from, to, text("a"), text("copy") };

	must(object_copy(w->env, &c, &w->read) == ERR_OK);
}

static int
delete_read(struct world *w, struct realm_bucket *b)
{
	return object_delete_read(w->env, b, text("a"), &w->read);
}

static SUSPENDS int
run_story(void *arg)
{
	struct world *w = arg;
	int err;

	w->realm = realm_mem_new(w->env);
	w->plain = make_bucket(w, "plain", false);
	w->versioned = make_bucket(w, "versioned", true);
	err = w->story(w);
	w->plain->ops->release(w->plain);
	w->versioned->ops->release(w->versioned);
	realm_mem_free(w->realm);
	return err;
}

static void
run(int (*story)(struct world *w))
{
	struct world w = { .story = story };
	struct log *log = log_new(&(struct log_opts){ .level = LOG_WARN });

	must(crypto_init() == ERR_OK);
	must(env_real_new(&(struct env_real_opts){ .log = log }, &w.env) == ERR_OK);
	ck_assert_int_eq(env_real_run(w.env, run_story, &w), ERR_OK);
	env_real_free(w.env);
	log_free(log);
}

/* ---- the stories ---- */

static int
read_then_deleted(struct world *w)
{
	put(w, w->plain, "a", "old");
	get(w, w->plain, "a");
	must(delete_read(w, w->plain) == ERR_OK);
	must(has(w->plain, "a", NULL));
	/* As after an answer that was lost: it is gone, and that is what was wanted. */
	must(delete_read(w, w->plain) == ERR_OK);

	put(w, w->versioned, "a", "old");
	get(w, w->versioned, "a");
	must(delete_read(w, w->versioned) == ERR_OK);
	must(delete_read(w, w->versioned) == ERR_OK);
	must(has(w->versioned, "a", NULL));
	return ERR_OK;
}

static int
put_meanwhile(struct world *w)
{
	struct realm_bucket *const both[] = { w->plain, w->versioned };

	for (size_t i = 0; i < ARRAY_LEN(both); i++) {
		put(w, both[i], "a", "old");
		get(w, both[i], "a");
		put(w, both[i], "a", "new");
		must(delete_read(w, both[i]) == REFUSAL_PRECONDITION);
		must(has(both[i], "a", "new"));
		/* The same bytes, at once: also another one, with what is said beside them. */
		get(w, both[i], "a");
		put(w, both[i], "a", "new");
		must(delete_read(w, both[i]) == REFUSAL_PRECONDITION);
		must(has(both[i], "a", "new"));
	}
	return ERR_OK;
}

static int
put_after_a_copy(struct world *w)
{
	struct realm_bucket *const targets[] = { w->plain, w->versioned };

	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		put(w, w->plain, "a", "old");
		copy(w, w->plain, targets[i]);
		put(w, w->plain, "a", "new");
		must(delete_read(w, w->plain) == REFUSAL_PRECONDITION);
		must(has(w->plain, "a", "new") && has(targets[i], "copy", "old"));
		copy(w, w->plain, targets[i]);
		must(delete_read(w, w->plain) == ERR_OK);
		must(has(w->plain, "a", NULL) && has(targets[i], "copy", "new"));
	}
	return ERR_OK;
}

START_TEST(what_was_read_is_deleted)
{
	run(read_then_deleted);
}
END_TEST

START_TEST(what_was_put_meanwhile_stays)
{
	run(put_meanwhile);
}
END_TEST

START_TEST(what_was_put_after_a_copy_stays)
{
	run(put_after_a_copy);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("cmd/objects");

	suite_add(s, "move", 0, what_was_read_is_deleted, what_was_put_meanwhile_stays,
	    what_was_put_after_a_copy_stays, NULL);
	return suite_main(s);
}
