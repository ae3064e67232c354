/*
 * Gateways without the seed on a simulated network: one writes with what it was given, and nothing
 * else; what is taken back, or has ended, the anchors take no more; a recovery lets it in again.
 */
#include <stdlib.h>

#include "object/cloud_delegate.h"
#include "object/cloud_recover.h"
#include "object/lease_signing.h"
#include "test/scenario/machine.h"
#include "test/unit/suite.h"

static struct delegation given; /* the file that goes from the owner's machine to the other */

/* ---- the owner ---- */

static void
delegate(struct machine *m, const char *bucket, uint8_t rights)
{
	memset(&given, 0, sizeof(given));
	given.expires_ms = env_wall_ms(world_client_env(m->w)) + 3600 * 1000;
	given.key.grants_count = 1;
	ck_assert_int_eq(access_grant_parse(bucket, rights, &given.key.grants[0]), ERR_OK);
	ck_assert_int_eq(cloud_delegate_create(m->cloud, &given), ERR_OK);
	ck_assert_uint_eq(given.count, 1);
}

/* Nodes that know the account's owner key take what the delegate leases. */
static void
check_grant(struct machine *m)
{
	struct network_id net = endpoint_net(node_endpoint(world_client(m->w)));
	const struct delegated_bucket *b = &given.buckets[0];
	struct lease_signing signing;
	struct pubkey owner;

	account_owner(&machine_account, &owner);
	lease_signing_bucket(
	    &signing, world_client_env(m->w), net, &b->record.seed.secret, NULL, &b->grant);
	ck_assert(signing.granted && grant_opens(&signing.grant, net, &owner, &signing.pub));
	ck_assert(!grant_opens(&signing.grant, net, &signing.pub, &signing.pub));
}

static int
make_and_delegate(struct machine *m)
{
	static const char *const names[] = { "shared", "private" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		ck_assert_int_eq(
		    cloud_bucket_create(m->cloud, &(struct cloud_create){ .name = names[i] }),
		    ERR_OK);
	ck_assert_int_eq(write_in(m, "shared", put_v, "by the owner", true), ERR_OK);
	delegate(m, "shared", ACCESS_READ | ACCESS_WRITE);
	check_grant(m);
	return ERR_OK;
}

static int
delegate_reading(struct machine *m)
{
	delegate(m, "shared", ACCESS_READ);
	return ERR_OK;
}

static int
see_and_revoke(struct machine *m)
{
	ck_assert(holds(m, "shared", "by the delegate"));
	ck_assert_int_eq(cloud_delegate_revoke(m->cloud, "SKAAAAAAAAAAAAAAAAAA"), ERR_NOT_FOUND);
	ck_assert_int_eq(cloud_delegate_revoke(m->cloud, given.key.id), ERR_OK);
	ck_assert_int_eq(cloud_delegate_revoke(m->cloud, given.key.id), ERR_NOT_FOUND);
	return write_in(m, "shared", put_v, "by the owner again", false);
}

static int
nothing_is_over(struct machine *m)
{
	size_t count;

	ck_assert_int_eq(cloud_delegates_expire(m->cloud, &count), ERR_OK);
	ck_assert_uint_eq(count, 0);
	return ERR_OK;
}

static int
one_is_over(struct machine *m)
{
	size_t count;

	ck_assert_int_eq(cloud_delegates_expire(m->cloud, &count), ERR_OK);
	ck_assert_uint_eq(count, 1);
	return ERR_OK;
}

/* ---- the delegate ---- */

static int
count_bucket(void *arg, const struct cloud_facts *f)
{
	ck_assert_str_eq(f->name, "shared");
	++*(size_t *)arg;
	return ERR_OK;
}

static int
write_with_it(struct machine *m)
{
	struct access_key key;
	struct cloud_bucket *b;
	size_t count = 0;

	ck_assert(holds(m, "shared", "by the owner"));
	ck_assert_int_eq(write_in(m, "shared", put_v, "by the delegate", true), ERR_OK);
	/* There is nothing else. */
	ck_assert_int_eq(cloud_bucket_open(m->cloud, "private", &b), ERR_NOT_FOUND);
	ck_assert_int_eq(cloud_bucket_create(m->cloud, &(struct cloud_create){ .name = "another" }),
	    ERR_PERMISSION);
	ck_assert_int_eq(cloud_bucket_delete(m->cloud, "shared", NULL), ERR_PERMISSION);
	ck_assert_int_eq(cloud_delegate_create(m->cloud, &given), ERR_PERMISSION);
	ck_assert_int_eq(cloud_buckets(m->cloud, NULL, count_bucket, &count), ERR_OK);
	ck_assert_uint_eq(count, 1);
	ck_assert_int_eq(cloud_key_find(m->cloud, given.key.id, &key), ERR_OK);
	ck_assert_int_eq(cloud_key_find(m->cloud, "SKAAAAAAAAAAAAAAAAAA", &key), ERR_NOT_FOUND);
	return ERR_OK;
}

static int
refused(struct machine *m)
{
	ck_assert_int_eq(write_in(m, "shared", put_v, "not this", false), ERR_PERMISSION);
	ck_assert(holds(m, "shared", "by the owner again"));
	return ERR_OK;
}

static int
only_read(struct machine *m)
{
	ck_assert_int_eq(write_in(m, "shared", put_v, "not this", false), ERR_STATE);
	ck_assert(holds(m, "shared", "by the owner again"));
	return ERR_OK;
}

START_TEST(a_delegate_writes_until_it_is_revoked)
{
	struct world *w =
	    world_new(&(struct world_opts){ .seed = 41, .nodes = 6, .code = { 3, 5, 6 } });

	ck_assert_int_eq(machine(w, CLOUD_FOUND, make_and_delegate), ERR_OK);
	ck_assert_int_eq(machine_given(w, &given, write_with_it), ERR_OK);
	ck_assert_int_eq(machine(w, CLOUD_FIND, see_and_revoke), ERR_OK);
	ck_assert_int_eq(machine_given(w, &given, refused), ERR_OK);
	ck_assert_int_eq(machine(w, CLOUD_FIND, delegate_reading), ERR_OK);
	ck_assert_int_eq(machine_given(w, &given, only_read), ERR_OK);
	ck_assert_int_eq(machine(w, CLOUD_FIND, nothing_is_over), ERR_OK);
	sim_run_for(world_sim(w), HOURS(2));
	ck_assert_int_eq(machine(w, CLOUD_FIND, one_is_over), ERR_OK);
	ck_assert_int_eq(machine_given(w, &given, only_read), ERR_PERMISSION);
	world_free(w);
}
END_TEST

/* ---- a bucket whose anchors are gone ---- */

static char lost_name[16];

static int
delegate_lose_recover(struct machine *m)
{
	struct cloud_recovered found;
	struct cloud_bucket *b = bucket_to_lose(m, 3, lost_name);

	ck_assert_int_eq(write_in(m, lost_name, put_v, "before", true), ERR_OK);
	delegate(m, lost_name, ACCESS_READ | ACCESS_WRITE);
	ck_assert_int_eq(write_in(m, lost_name, put_v, "before", false), ERR_OK);
	ck_assert_int_eq(task_sleep(world_client_env(m->w), SECONDS(90)), ERR_OK);
	lose_anchors(m, cloud_bucket_ground(b), 3);
	cloud_bucket_close(b);
	return cloud_bucket_recover(m->cloud, lost_name, &found);
}

static int
write_after(struct machine *m)
{
	ck_assert(holds(m, lost_name, "before"));
	return write_in(m, lost_name, put_v, "after", false);
}

START_TEST(a_recovery_lets_delegates_in_again)
{
	struct world *w =
	    world_new(&(struct world_opts){ .seed = 42, .nodes = 11, .code = { 3, 5, 6 } });

	ck_assert_int_eq(machine(w, CLOUD_FOUND, delegate_lose_recover), ERR_OK);
	ck_assert_int_eq(machine_given(w, &given, write_after), ERR_OK);
	world_free(w);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("scenario/delegates");

	suite_add(s, "delegates", 120, a_delegate_writes_until_it_is_revoked,
	    a_recovery_lets_delegates_in_again, NULL);
	return suite_main(s);
}
