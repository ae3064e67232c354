/* When mappings are asked for, renewed, reported and taken back. The libraries are replaced. */
#include "test/unit/suite.h"

#include "overlay/base/err.h"
#include "overlay/portmap.h"
#include "sim/sim.h"

/* What the router does; ops have no argument, so it is the file's, reset by each test. */
static struct {
	struct portmap_result next;
	unsigned maps, unmaps;
	uint16_t wished;
} router;

static void
fake_map(uint16_t port, uint16_t outside_port, struct portmap_result *out)
{
	ck_assert_uint_eq(port, 4000);
	router.maps++;
	router.wished = outside_port;
	*out = router.next;
}

static void
fake_unmap(uint16_t port, const struct portmap_result *mapped)
{
	ck_assert_uint_eq(port, 4000);
	ck_assert_int_eq(mapped->method, PORTMAP_UPNP);
	router.unmaps++;
}

static const struct portmap_ops fake = { .map = fake_map, .unmap = fake_unmap };

static struct portmap_result
mapped(uint16_t port)
{
	return (struct portmap_result){ .method = PORTMAP_UPNP,
		.external = { .family = ADDR_IPV4, .ip = { 8, 8, 4, 4 }, .port = port } };
}

static void
on_changed(void *arg, const struct portmap_result *now)
{
	unsigned *changes = arg;

	(void)now;
	(*changes)++;
}

static void
on_done(void *arg)
{
	*(bool *)arg = true;
}

static bool
flag(void *arg)
{
	return *(bool *)arg;
}

struct fixture {
	struct sim_world *world;
	struct env *env;
	struct portmap *map;
	unsigned changes;
};

static void
start(struct fixture *f)
{
	memset(&router, 0, sizeof(router));
	f->changes = 0;
	f->world = sim_new(&(struct sim_opts){ .seed = 1 });
	f->env =
	    sim_node_add(f->world, &(struct sim_node_opts){ .ip = sim_addr(0, 0), .region = 0 });
	ck_assert_int_eq(portmap_new(&(struct portmap_opts){ .env = f->env,
					 .port = 4000,
					 .ops = &fake,
					 .changed = on_changed,
					 .arg = &f->changes },
			     &f->map),
	    ERR_OK);
}

static void
stop(struct fixture *f)
{
	bool done = false;

	portmap_shutdown(f->map, on_done, &done);
	ck_assert(sim_run_until(f->world, flag, &done, MINUTES(1)));
	portmap_free(f->map);
	sim_node_remove(f->env);
	sim_free(f->world);
}

START_TEST(mapping_is_renewed_and_taken_back)
{
	struct fixture f;

	start(&f);
	router.next = mapped(4100);
	sim_run_for(f.world, SECONDS(1));
	ck_assert(router.maps == 1 && f.changes == 1 && router.wished == 4000);
	ck_assert_uint_eq(portmap_now(f.map)->external.port, 4100);
	sim_run_for(f.world, HOURS(1));
	ck_assert_uint_eq(router.maps, 4);
	ck_assert_uint_eq(router.wished, 4100);
	ck_assert_uint_eq(f.changes, 1);
	router.next = mapped(4101);
	sim_run_for(f.world, PORTMAP_RENEW);
	ck_assert_uint_eq(f.changes, 2);
	stop(&f);
	ck_assert_uint_eq(router.unmaps, 1);
}
END_TEST

START_TEST(failure_is_tried_again)
{
	struct fixture f;

	start(&f);
	strcpy(router.next.why, "no router answers");
	sim_run_for(f.world, SECONDS(1));
	ck_assert_uint_eq(f.changes, 0);
	ck_assert_str_eq(portmap_now(f.map)->why, "no router answers");
	router.next = mapped(4000);
	sim_run_for(f.world, PORTMAP_RETRY);
	ck_assert(router.maps == 2 && f.changes == 1);
	memset(&router.next, 0, sizeof(router.next));
	sim_run_for(f.world, PORTMAP_RENEW);
	ck_assert(f.changes == 2 && portmap_now(f.map)->method == PORTMAP_NONE);
	stop(&f);
	ck_assert_uint_eq(router.unmaps, 0);
}
END_TEST

START_TEST(shutdown_in_an_attempt_waits_and_unmaps)
{
	struct fixture f;

	start(&f);
	router.next = mapped(4000);
	sim_node_work_time(f.env, WORK_DISK, SECONDS(4));
	sim_run_for(f.world, SECONDS(1)); /* under way */
	stop(&f);
	ck_assert(router.maps == 1 && router.unmaps == 1);
	ck_assert_uint_eq(f.changes, 0);
}
END_TEST

START_TEST(shutdown_at_once_asks_nothing)
{
	struct fixture f;

	start(&f);
	stop(&f);
	ck_assert(router.maps == 0 && router.unmaps == 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("overlay/portmap");

	suite_add(s, "portmap", 0, mapping_is_renewed_and_taken_back, failure_is_tried_again,
	    shutdown_in_an_attempt_waits_and_unmaps, shutdown_at_once_asks_nothing, NULL);
	return suite_main(s);
}
