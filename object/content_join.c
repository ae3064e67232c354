/*
 * Lists that are long, or made of others: a content's list becomes a sealed manifest of its own,
 * and parts' lists become one.
 */
#include <stdlib.h>

#include "object/content_private.h"
#include "object/content_write.h"

int
content_store_list(struct placing *p, struct content *c)
{
	struct manifest_keys keys;
	struct manifest top;
	int err;

	if (content_form_bytes(c) <= CONTENT_LIST_MAX)
		return ERR_OK;
	manifest_init(&top);
	err = manifest_store(p, &c->list, &keys);
	if (err == ERR_OK)
		err = manifest_add_placed(&top, &p->placed[p->placed_count - 1]);
	if (err == ERR_OK) {
		manifest_fini(&c->list);
		c->list = top;
		c->kind = CONTENT_LISTED;
		c->key = keys.read;
	} else {
		manifest_fini(&top);
	}
	crypto_wipe(&keys, sizeof(keys));
	return err;
}

static int
add_segments(struct content *to, const struct manifest *from)
{
	int err = manifest_append(&to->list, from);

	to->bytes += from->plain_bytes;
	to->list.plain_bytes = to->bytes;
	return err;
}

static SUSPENDS int
add_part(struct files *f, const struct content *part, struct content *out, struct manifest *spare)
{
	struct manifest m;
	int err;

	if (part->kind == CONTENT_EMPTY)
		return ERR_OK;
	manifest_init(&m);
	err = content_load(f, part, &m, spare, NULL);
	if (err == ERR_OK && part->bytes > UINT64_MAX / 2 - out->bytes)
		err = ERR_TOO_BIG;
	if (err == ERR_OK)
		err = add_segments(out, &m);
	manifest_fini(&m);
	return err;
}

int
content_join(const struct content_join_opts *opts, struct content *out, struct manifest *spare)
{
	struct placing *p = malloc(sizeof(*p));
	int err = p == NULL ? ERR_NOMEM : placing_init(p, opts->files, &opts->placing);

	for (size_t i = 0; err == ERR_OK && i < opts->count; i++)
		err = add_part(opts->files, opts->parts[i], out, spare);
	if (err == ERR_OK && out->bytes > 0) {
		out->kind = CONTENT_CHUNKS;
		err = content_store_list(p, out);
	}
	if (p != NULL)
		placing_end(p, err);
	free(p);
	return err;
}
