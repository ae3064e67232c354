/* One counter for each reason that a person can do something about. */
#include "storage/refusals.h"

bool
refusal_quick(int err)
{
	return err == ERR_STRANGER || err == ERR_QUOTA || err == ERR_REFUSED ||
	       err == ERR_UNSUPPORTED;
}

void
refusals_note(struct put_refusals *r, int err)
{
	switch (err) {
	case ERR_CANCELED:
		break;
	case ERR_TIMEOUT:
	case ERR_UNREACHABLE:
	case ERR_CLOSED:
		r->silent++;
		break;
	case ERR_BUSY:
		r->busy++;
		break;
	case ERR_FULL:
	case ERR_NO_SPACE:
		r->full++;
		break;
	case ERR_STRANGER:
		r->stranger++;
		break;
	case ERR_QUOTA:
		r->quota++;
		break;
	default:
		r->other++;
	}
}

int
refusals_check(struct put_refusals *r, const struct shard_go *go, uint64_t term_s, uint64_t lock_s)
{
	if (go->term_max_s < term_s) {
		r->term++;
		r->term_max_s = MAX(r->term_max_s, go->term_max_s);
		return ERR_REFUSED;
	}
	if (go->lock_max_s < lock_s) {
		r->lock++;
		r->lock_max_s = MAX(r->lock_max_s, go->lock_max_s);
		return ERR_UNSUPPORTED;
	}
	return ERR_OK;
}

void
refusals_add(struct put_refusals *to, const struct put_refusals *more)
{
	to->silent += more->silent;
	to->busy += more->busy;
	to->full += more->full;
	to->stranger += more->stranger;
	to->quota += more->quota;
	to->term += more->term;
	to->lock += more->lock;
	to->other += more->other;
	to->term_max_s = MAX(to->term_max_s, more->term_max_s);
	to->lock_max_s = MAX(to->lock_max_s, more->lock_max_s);
}
