/*
 * Draining: the node takes no new shards and tells its siblings until when it may be away; the rest
 * goes on as before, reads and repairs among it. What was said is kept in the store, so that it
 * holds over the restart that it was said for. It travels in HOLDS, questions and answers, and its
 * news is told to every sibling that lives; one that was silent hears it with the next question.
 */
#include "overlay/base/pack.h"
#include "storage/keeper_private.h"
#include "storage/store_values.h"

static const struct hash drain_key = { "drain/1" };

#define VALUE_BYTES 16
/* A question ends within some seconds; a lost one is asked again, and who does not answer for so
 * long is silent and asked as such. */
#define ROUNDS      10
#define AGAIN       SECONDS(1)

bool
keeper_drains(const struct keeper *k)
{
	return drain_runs(&k->drain, keeper_now_unix_s(k, NULL));
}

bool
keeper_takes_shards(const struct keeper *k)
{
	return !k->leaving && !keeper_drains(k);
}

void
keeper_turned(struct keeper *k)
{
	if (k->opts.turned != NULL)
		k->opts.turned(k->opts.arg);
}

void
keeper_drain_word(const struct keeper *k, struct drain *out)
{
	*out = (struct drain){ 0 };
	if (drain_tells(&k->drain, keeper_now_unix_s(k, NULL)))
		*out = k->drain;
}

bool
keeper_drain_unheard(const struct keeper *k, const struct neighbour *one)
{
	/* Hardly ever is there anything to tell: what the time is, is asked last. */
	return one->drain_told < k->drain.issued_ms &&
	       drain_tells(&k->drain, keeper_now_unix_s(k, NULL));
}

void
keeper_drain_hear(struct keeper *k, struct neighbour *one, const struct drain *said)
{
	uint64_t now_s = keeper_now_unix_s(k, NULL), now = env_now(k->env);

	if (said->issued_ms == 0 || !drain_hear(&one->drain, said, now_s))
		return;
	one->away_until = now + drain_left_s(&one->drain, now_s) * SECONDS(1);
	/* Its chunks count otherwise now. */
	if (one->silent_at != 0)
		keeper_tour_soon(k);
}

/* ---- telling ---- */

static bool
to_be_told(const struct keeper *k, const struct neighbour *one)
{
	return one->silent_at == 0 && keeper_drain_unheard(k, one);
}

static int
tell_task(void *arg)
{
	struct keeper *k = arg;
	int err = ERR_OK;

	for (int i = 0; err == ERR_OK && i < ROUNDS && keeper_anybody(k, to_be_told); i++) {
		err = keeper_ask_those(k, to_be_told);
		if (err == ERR_OK && keeper_anybody(k, to_be_told))
			err = task_sleep(k->env, AGAIN);
	}
	k->drain_telling = false;
	return err;
}

void
keeper_drain_tell(struct keeper *k)
{
	if (!k->drain_telling && keeper_anybody(k, to_be_told))
		k->drain_telling = task_spawn(&k->group, "tell drain", tell_task, k) == ERR_OK;
}

/* ---- saying and remembering ---- */

static int
remember_task(void *arg)
{
	struct keeper *k = arg;
	uint8_t value[VALUE_BYTES];
	struct drain kept;
	int err;

	/* What was said meanwhile is written, too, before the first one is told. */
	do {
		struct packer p = packer_on(value, sizeof(value));

		kept = k->drain;
		pack_u64(&p, kept.issued_ms);
		pack_u64(&p, kept.until_s);
		err = store_set_value(
		    k->opts.store, STORE_NODE, &drain_key, bytes_of(value, sizeof(value)));
	} while (err == ERR_OK && kept.issued_ms != k->drain.issued_ms);
	k->drain_saving = false;
	if (err == ERR_CANCELED)
		return err;
	if (err != ERR_OK)
		log_warn(k->env, "that the node drains is not kept: %s", err_text(err));
	keeper_drain_tell(k);
	return err;
}

int
keeper_drain(struct keeper *k, uint64_t until_s)
{
	struct agreed_time now;
	struct drain next;
	int err;

	endpoint_agreed_time(k->opts.endpoint, &now);
	err = drain_say(&k->drain, until_s, now.unix_ms, &next);
	if (err != ERR_OK)
		return err;
	if (!k->drain_saving) {
		err = task_spawn(&k->group, "draining", remember_task, k);
		k->drain_saving = err == ERR_OK;
	}
	if (err == ERR_OK) {
		k->drain = next;
		keeper_turned(k);
	}
	return err;
}

int
keeper_drain_cancel(struct keeper *k)
{
	return keeper_drains(k) ? keeper_drain(k, 0) : ERR_OK;
}

void
keeper_drain_load(struct keeper *k)
{
	struct buf value;
	int err;

	buf_init(&value, STORE_VALUE_MAX);
	err = store_value(k->opts.store, STORE_NODE, &drain_key, &value);
	if (err == ERR_OK && value.len == VALUE_BYTES) {
		struct unpacker u = unpacker_on(buf_bytes(&value));

		k->drain.issued_ms = unpack_u64(&u);
		k->drain.until_s = unpack_u64(&u);
	} else if (err != ERR_NOT_FOUND && err != ERR_CANCELED) {
		log_warn(k->env, "what the store says of a drain is not readable: there is none");
	}
	buf_fini(&value);
}
