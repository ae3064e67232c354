/* Lists of names and values, and S3's rules for metadata and tags. */
#include "object/pairs.h"

#include <stdlib.h>

#include "object/refusal.h"
#include "overlay/base/err.h"
#include "overlay/base/pack.h"

int
pairs_add(struct buf *list, struct bytes name, struct bytes value)
{
	uint8_t head[2];
	size_t was = list->len;
	int err = ERR_OK;

	if (name.len > UINT16_MAX || value.len > UINT16_MAX)
		return ERR_TOO_BIG;
	for (int i = 0; i < 2 && err == ERR_OK; i++) {
		struct bytes part = i == 0 ? name : value;
		struct packer p = packer_on(head, sizeof(head));

		pack_u16(&p, (uint16_t)part.len);
		err = buf_append(list, head, sizeof(head));
		if (err == ERR_OK)
			err = buf_append(list, part.data, part.len);
	}
	if (err != ERR_OK)
		list->len = was;
	return err;
}

bool
pairs_next(struct bytes *rest, struct pair *out)
{
	struct unpacker u = unpacker_on(*rest);
	struct pair p;

	p.name = unpack_lend(&u, unpack_u16(&u));
	p.value = unpack_lend(&u, unpack_u16(&u));
	if (rest->len == 0 || u.failed)
		return false;
	*rest = bytes_of(rest->data + u.pos, rest->len - u.pos);
	*out = p;
	return true;
}

bool
pairs_find(struct bytes list, struct bytes name, struct bytes *value)
{
	struct pair p;

	while (pairs_next(&list, &p)) {
		if (!bytes_equal(p.name, name))
			continue;
		*value = p.value;
		return true;
	}
	return false;
}

size_t
pairs_count(struct bytes list)
{
	struct pair p;
	size_t n = 0;

	while (pairs_next(&list, &p))
		n++;
	return n;
}

bool
pairs_valid(struct bytes list)
{
	struct pair p;

	while (pairs_next(&list, &p))
		;
	return list.len == 0;
}

int
pairs_check_meta(struct bytes list)
{
	size_t bytes = 0, count = 0;
	struct pair p;

	while (pairs_next(&list, &p)) {
		bytes += p.name.len + p.value.len;
		count++;
	}
	return bytes > META_BYTES_MAX || count > PAIRS_COUNT_MAX ? REFUSAL_METADATA : ERR_OK;
}

/* Letters, digits and spaces of any script, and a few signs. Gives the number of characters. */
static bool
tag_text(struct bytes text, size_t chars_max)
{
	size_t chars = 0;

	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

		if ((c & 0xc0) != 0x80) /* not the continuation of a character */
			chars++;
		if (c < 0x80 && !letter && !(c >= '0' && c <= '9') &&
		    (c == 0 || strchr(" +-=._:/@", c) == NULL))
			return false;
	}
	return chars <= chars_max;
}

int
pairs_check_tags(struct bytes list, size_t max)
{
	struct bytes rest = list, behind;
	struct pair p, other;
	size_t count = 0;

	while (pairs_next(&rest, &p)) {
		if (++count > max)
			return REFUSAL_TAGS_MANY;
		if (p.name.len == 0 || !tag_text(p.name, TAG_NAME_CHARS_MAX) ||
		    !tag_text(p.value, TAG_VALUE_CHARS_MAX))
			return REFUSAL_TAG;
		if (p.name.len >= 4 && memcmp(p.name.data, "aws:", 4) == 0)
			return REFUSAL_TAG;
		for (behind = rest; pairs_next(&behind, &other);)
			if (bytes_equal(p.name, other.name))
				return REFUSAL_TAG;
	}
	return ERR_OK;
}

static int
by_name(const void *a, const void *b)
{
	struct bytes x = ((const struct pair *)a)->name, y = ((const struct pair *)b)->name;
	int order = memcmp(x.data, y.data, MIN(x.len, y.len));

	return order != 0 ? order : (x.len > y.len) - (x.len < y.len);
}

int
pairs_sort_tags(struct buf *list)
{
	struct pair pairs[TAGS_BUCKET_MAX];
	struct bytes rest = buf_bytes(list);
	size_t count = 0;
	struct buf sorted;
	int err = ERR_OK;

	while (count < ARRAY_LEN(pairs) && pairs_next(&rest, &pairs[count]))
		count++;
	must(rest.len == 0);
	qsort(pairs, count, sizeof(pairs[0]), by_name);
	buf_init(&sorted, list->len);
	for (size_t i = 0; i < count && err == ERR_OK; i++)
		err = pairs_add(&sorted, pairs[i].name, pairs[i].value);
	if (err == ERR_OK && sorted.len > 0) /* as long as before: no room is needed */
		memcpy(list->data, sorted.data, sorted.len);
	buf_fini(&sorted);
	return err;
}
