/*
 * Rules, kept and judged. Everything here is a function of its arguments. Where several rules
 * speak, the earliest date wins, and removing for good wins over expiring.
 */
#include "object/lifecycle.h"

#include "overlay/base/pack.h"

#define RULE_VERSION 1

enum rule_flag {
	RULE_ENABLED = 1,
	RULE_ABOVE = 2,
	RULE_BELOW = 4,
	RULE_DATE = 8,
	RULE_MARKER = 16,
	RULE_BARE = 32,
	RULE_FLAGS = 63,
};

#define RULE_FIXED_BYTES (1 + 1 + 1 + 2 + 2 + 8 + 8 + 8 + 4 * 4)

int
lifecycle_rule_pack(const struct lifecycle_rule *r, struct buf *out)
{
	size_t len = RULE_FIXED_BYTES + r->id.len + r->prefix.len + r->tags.len;
	struct packer p;
	int err;

	if (r->id.len > LIFECYCLE_ID_MAX || r->prefix.len > OBJECT_KEY_MAX ||
	    r->tags.len > PAIRS_BYTES_MAX || !pairs_valid(r->tags) ||
	    r->newer_noncurrent > LIFECYCLE_NEWER_MAX)
		return ERR_INVALID;
	err = buf_reserve(out, len);
	if (err != ERR_OK)
		return err;
	p = packer_on(out->data + out->len, len);
	pack_u8(&p, RULE_VERSION);
	pack_u8(&p,
	    (uint8_t)((r->enabled ? RULE_ENABLED : 0) | (r->has_size_above ? RULE_ABOVE : 0) |
		      (r->has_size_below ? RULE_BELOW : 0) | (r->has_expire_date ? RULE_DATE : 0) |
		      (r->expire_marker ? RULE_MARKER : 0) | (r->bare_prefix ? RULE_BARE : 0)));
	pack_u8(&p, (uint8_t)r->id.len);
	pack_raw(&p, r->id.data, r->id.len);
	pack_u16(&p, (uint16_t)r->prefix.len);
	pack_raw(&p, r->prefix.data, r->prefix.len);
	pack_u16(&p, (uint16_t)r->tags.len);
	pack_raw(&p, r->tags.data, r->tags.len);
	if (r->has_size_above)
		pack_u64(&p, r->size_above);
	if (r->has_size_below)
		pack_u64(&p, r->size_below);
	if (r->has_expire_date)
		pack_u64(&p, r->expire_date_ms);
	pack_u32(&p, r->expire_days);
	pack_u32(&p, r->noncurrent_days);
	pack_u32(&p, r->newer_noncurrent);
	pack_u32(&p, r->abort_days);
	must(pack_ok(&p));
	out->len += p.len;
	return ERR_OK;
}

int
lifecycle_rule_next(struct bytes *rest, struct lifecycle_rule *out)
{
	struct unpacker u = unpacker_on(*rest);
	uint8_t version, flags;
	struct lifecycle_rule r;

	if (rest->len == 0)
		return ERR_END;
	version = unpack_u8(&u);
	flags = unpack_u8(&u);
	if (version != RULE_VERSION)
		return ERR_VERSION;
	r = (struct lifecycle_rule){ .enabled = (flags & RULE_ENABLED) != 0,
		.has_size_above = (flags & RULE_ABOVE) != 0,
		.has_size_below = (flags & RULE_BELOW) != 0,
		.has_expire_date = (flags & RULE_DATE) != 0,
		.expire_marker = (flags & RULE_MARKER) != 0,
		.bare_prefix = (flags & RULE_BARE) != 0 };
	r.id = unpack_lend(&u, unpack_u8(&u));
	r.prefix = unpack_lend(&u, unpack_u16(&u));
	r.tags = unpack_lend(&u, unpack_u16(&u));
	r.size_above = r.has_size_above ? unpack_u64(&u) : 0;
	r.size_below = r.has_size_below ? unpack_u64(&u) : 0;
	r.expire_date_ms = r.has_expire_date ? unpack_u64(&u) : 0;
	r.expire_days = unpack_u32(&u);
	r.noncurrent_days = unpack_u32(&u);
	r.newer_noncurrent = unpack_u32(&u);
	r.abort_days = unpack_u32(&u);
	if (u.failed || (flags & ~RULE_FLAGS) != 0 || r.prefix.len > OBJECT_KEY_MAX ||
	    r.tags.len > PAIRS_BYTES_MAX || !pairs_valid(r.tags) ||
	    r.newer_noncurrent > LIFECYCLE_NEWER_MAX)
		return ERR_CORRUPT;
	*rest = bytes_of(rest->data + u.pos, rest->len - u.pos);
	*out = r;
	return ERR_OK;
}

/* ---- judging ---- */

static bool
begins(struct bytes key, struct bytes prefix)
{
	return key.len >= prefix.len &&
	       (prefix.len == 0 || memcmp(key.data, prefix.data, prefix.len) == 0);
}

static bool
has_tags(struct bytes tags, struct bytes wanted)
{
	struct bytes value;
	struct pair p;

	while (pairs_next(&wanted, &p))
		if (!pairs_find(tags, p.name, &value) || !bytes_equal(value, p.value))
			return false;
	return true;
}

static bool
concerns(const struct lifecycle_rule *r, const struct lifecycle_subject *s)
{
	if (!r->enabled || !begins(s->key, r->prefix))
		return false;
	/* A marker has no tags and no size: rules that ask for these do not mean it. */
	if (s->marker)
		return r->tags.len == 0 && !r->has_size_above && !r->has_size_below;
	return has_tags(s->tags, r->tags) && (!r->has_size_above || s->size > r->size_above) &&
	       (!r->has_size_below || s->size < r->size_below);
}

/* The end of the day on which so many days have passed. */
static uint64_t
days_after(uint64_t ms, uint32_t days, uint64_t day_ms)
{
	uint64_t at = ms + days * day_ms;

	if (day_ms != LIFECYCLE_DAY_MS)
		return at;
	return (at + day_ms - 1) / day_ms * day_ms;
}

/* When this rule ends the latest version. false: never. */
static bool
rule_expires(const struct lifecycle_rule *r, const struct lifecycle_subject *s, uint64_t day_ms,
    uint64_t *at_ms)
{
	if (!concerns(r, s))
		return false;
	if (s->marker) { /* an expired delete marker: by its own action, or because its days are
			    over */
		if (!s->only || (!r->expire_marker && r->expire_days == 0))
			return false;
		*at_ms = r->expire_marker ? s->modified_ms
					  : days_after(s->modified_ms, r->expire_days, day_ms);
		return true;
	}
	if (r->has_expire_date)
		*at_ms = r->expire_date_ms;
	else if (r->expire_days > 0)
		*at_ms = days_after(s->modified_ms, r->expire_days, day_ms);
	return r->has_expire_date || r->expire_days > 0;
}

bool
lifecycle_expires(struct bytes rules, const struct lifecycle_subject *s, uint64_t day_ms,
    uint64_t *at_ms, struct bytes *rule_id)
{
	uint64_t at = 0, first = UINT64_MAX;
	struct lifecycle_rule r;
	bool any = false;

	while (s->latest && lifecycle_rule_next(&rules, &r) == ERR_OK) {
		if (!rule_expires(&r, s, day_ms, &at) || at >= first)
			continue;
		any = true;
		first = at;
		*at_ms = at;
		*rule_id = r.id;
	}
	return any;
}

static bool
rule_removes(const struct lifecycle_rule *r, const struct lifecycle_subject *s, uint64_t now_ms,
    uint64_t day_ms)
{
	return concerns(r, s) && r->noncurrent_days > 0 &&
	       s->newer_noncurrent >= r->newer_noncurrent &&
	       days_after(s->noncurrent_ms, r->noncurrent_days, day_ms) <= now_ms;
}

enum lifecycle_action
lifecycle_judge(
    struct bytes rules, const struct lifecycle_subject *s, uint64_t now_ms, uint64_t day_ms)
{
	struct lifecycle_rule r;
	struct bytes id;
	uint64_t at;

	if (s->latest) {
		if (!lifecycle_expires(rules, s, day_ms, &at, &id) || at > now_ms)
			return LIFECYCLE_KEEP;
		return s->marker ? LIFECYCLE_REMOVE : LIFECYCLE_EXPIRE;
	}
	while (lifecycle_rule_next(&rules, &r) == ERR_OK)
		if (rule_removes(&r, s, now_ms, day_ms))
			return LIFECYCLE_REMOVE;
	return LIFECYCLE_KEEP;
}

bool
lifecycle_aborts(struct bytes rules, struct bytes key, uint64_t created_ms, uint64_t day_ms,
    uint64_t *at_ms, struct bytes *rule_id)
{
	uint64_t first = UINT64_MAX;
	struct lifecycle_rule r;
	bool any = false;

	while (lifecycle_rule_next(&rules, &r) == ERR_OK) {
		uint64_t at = days_after(created_ms, r.abort_days, day_ms);

		if (!r.enabled || r.abort_days == 0 || !begins(key, r.prefix) || at >= first)
			continue;
		any = true;
		first = at;
		*at_ms = at;
		*rule_id = r.id;
	}
	return any;
}
