/* Conditions of requests, judged. Order of precedence: RFC 9110 §13.2.2. */
#include "object/conditions.h"

#include "object/refusal.h"
#include "overlay/base/err.h"

/* The next of a comma-separated list, without spaces, W/ and quotes. */
static bool
next_tag(struct bytes *rest, struct bytes *out)
{
	const uint8_t *comma;
	struct bytes t;

	if (rest->len == 0)
		return false;
	comma = memchr(rest->data, ',', rest->len);
	t = bytes_of(rest->data, comma != NULL ? (size_t)(comma - rest->data) : rest->len);
	*rest = comma != NULL ? bytes_of(comma + 1, rest->len - t.len - 1) : bytes_of(NULL, 0);
	while (t.len > 0 && (t.data[0] == ' ' || t.data[0] == '\t'))
		t = bytes_of(t.data + 1, t.len - 1);
	while (t.len > 0 && (t.data[t.len - 1] == ' ' || t.data[t.len - 1] == '\t'))
		t.len--;
	if (t.len >= 2 && t.data[0] == 'W' && t.data[1] == '/')
		t = bytes_of(t.data + 2, t.len - 2);
	if (t.len >= 2 && t.data[0] == '"' && t.data[t.len - 1] == '"')
		t = bytes_of(t.data + 1, t.len - 2);
	*out = t;
	return true;
}

bool
conditions_names(struct bytes header, const struct etag *etag)
{
	char text[ETAG_TEXT_MAX];
	struct bytes t;

	etag_text(etag, text);
	while (next_tag(&header, &t))
		if (bytes_equal(t, bytes_of("*", 1)) ||
		    bytes_equal(t, bytes_of(text, strlen(text))))
			return true;
	return false;
}

/* What both kinds of reading ask first: may this be what the client means? */
static bool
still_the_same(const struct conditions *c, const struct entry *e)
{
	if (c->if_match.data != NULL)
		return conditions_names(c->if_match, &e->etag);
	return !c->has_unmodified_since || e->modified_ms / 1000 <= c->unmodified_since_s;
}

/* And whether it is what the client has already. */
static bool
already_there(const struct conditions *c, const struct entry *e)
{
	if (c->if_none_match.data != NULL)
		return conditions_names(c->if_none_match, &e->etag);
	return c->has_modified_since && e->modified_ms / 1000 <= c->modified_since_s;
}

int
conditions_read(const struct conditions *c, const struct entry *e)
{
	if (!still_the_same(c, e))
		return REFUSAL_PRECONDITION;
	return already_there(c, e) ? REFUSAL_NOT_MODIFIED : ERR_OK;
}

int
conditions_copy(const struct conditions *c, const struct entry *e)
{
	return still_the_same(c, e) && !already_there(c, e) ? ERR_OK : REFUSAL_PRECONDITION;
}

int
conditions_write(const struct conditions *c, const struct entry *e)
{
	bool there = e != NULL && !e->marker;

	if (c->if_match.data != NULL) {
		if (!there) /* "*" asks for nothing else than that */
			return bytes_equal(c->if_match, bytes_of("*", 1)) ? REFUSAL_PRECONDITION
									  : REFUSAL_NO_SUCH_KEY;
		if (!conditions_names(c->if_match, &e->etag))
			return REFUSAL_PRECONDITION;
	}
	if (c->if_none_match.data != NULL && there && conditions_names(c->if_none_match, &e->etag))
		return REFUSAL_PRECONDITION;
	return ERR_OK;
}

int
conditions_delete(const struct conditions *c, const struct entry *e)
{
	bool named = true;

	if (e == NULL)
		return ERR_OK;
	if (c->if_match.data != NULL && e->marker)
		named = bytes_equal(c->if_match, bytes_of("*", 1));
	else if (c->if_match.data != NULL)
		named = conditions_names(c->if_match, &e->etag);
	if (!named || (c->has_modified && e->modified_ms / 1000 != c->modified_s) ||
	    (c->has_size && e->size != c->size))
		return REFUSAL_PRECONDITION;
	return ERR_OK;
}
