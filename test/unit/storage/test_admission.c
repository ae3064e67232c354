/* Grants, forged and replayed in every way; whose data is taken, and how much. */
#include "storage/admission.h"

#include <stdlib.h>

#include "test/unit/suite.h"

static const struct network_id net = { { 1, 2, 3, 4 } }, other_net = { { 1, 2, 3, 5 } };
static const uint8_t nonce[GRANT_NONCE_BYTES] = { 3 };

struct keys {
	struct sign_key key;
	struct pubkey pub;
};

static struct keys
keys_of(uint8_t number)
{
	struct keys k;

	crypto_sign_key_from_seed(&(struct key){ { number } }, &k.key, &k.pub);
	return k;
}

static struct grant
grant_of(const struct keys *owner, const struct keys *lease)
{
	struct grant g;

	grant_make(&g, net, &owner->key, &owner->pub, &lease->pub, nonce);
	return g;
}

START_TEST(grants_open_for_whom_they_are_meant)
{
	struct keys owner = keys_of(1), other = keys_of(2), lease = keys_of(3),
		    another = keys_of(4);
	struct grant g = grant_of(&owner, &lease), bad;

	ck_assert(grant_opens(&g, net, &owner.pub, &lease.pub));
	/* Not for who does not know the owner, in another network, for another lease key. */
	ck_assert(!grant_opens(&g, net, &other.pub, &lease.pub));
	ck_assert(!grant_opens(&g, other_net, &owner.pub, &lease.pub));
	ck_assert(!grant_opens(&g, net, &owner.pub, &another.pub));
	for (size_t i = 0; i < GRANT_BYTES; i++) {
		bad = g;
		bad.b[i] ^= 0x10;
		ck_assert(!grant_opens(&bad, net, &owner.pub, &lease.pub));
	}
	/* Who knows the owner's key, but is not the owner, can seal and not sign. */
	grant_make(&bad, net, &other.key, &owner.pub, &another.pub, nonce);
	ck_assert(!grant_opens(&bad, net, &owner.pub, &another.pub));
	/* Nothing in it repeats from one lease key to the next. */
	bad = grant_of(&owner, &another);
	ck_assert(memcmp(g.b + GRANT_NONCE_BYTES, bad.b + GRANT_NONCE_BYTES,
		      GRANT_BYTES - GRANT_NONCE_BYTES) != 0);
}
END_TEST

struct fixture {
	struct keys owners[2], stranger;
	struct owner_quota quotas[2];
	struct admission *a;
};

static void
set_up(struct fixture *f, enum accept accept)
{
	f->owners[0] = keys_of(10);
	f->owners[1] = keys_of(11);
	f->stranger = keys_of(12);
	f->quotas[0] = (struct owner_quota){ f->owners[0].pub, 0 };
	f->quotas[1] = (struct owner_quota){ f->owners[1].pub, 1000 };
	ck_assert_int_eq(admission_new(&(struct admission_opts){ .accept = accept,
					   .net = net,
					   .owners = f->quotas,
					   .owners_count = 2,
					   .capacity = 100000,
					   .lock_max_s = 77 },
			     &f->a),
	    ERR_OK);
}

/* What a put by owner for a fresh lease key gets; owner NULL: without a grant. */
static int
ask(const struct fixture *f, const struct keys *owner, uint64_t group, uint64_t bytes,
    struct admitted *out)
{
	struct keys lease = keys_of(50);
	struct lease_note note = { .granted = owner != NULL };

	if (owner != NULL)
		note.grant = grant_of(owner, &lease);
	return admission_admit(f->a,
	    &(struct admission_ask){
		.lease_key = &lease.pub, .note = &note, .group = group, .bytes = bytes },
	    out);
}

START_TEST(owners_and_nobody_else)
{
	struct fixture f;
	struct admitted to;

	set_up(&f, ACCEPT_OWNERS);
	/* Not before it is known what is here. */
	ck_assert_int_eq(ask(&f, &f.owners[0], 1, 10, &to), ERR_BUSY);
	admission_count_begin(f.a);
	admission_count_end(f.a);
	ck_assert_int_eq(ask(&f, &f.owners[0], 1, 10, &to), ERR_OK);
	ck_assert(pubkey_equal(&to.note.owner, &f.owners[0].pub));
	ck_assert_uint_eq(to.term_max_s, LEASE_AHEAD_MAX_S);
	ck_assert_uint_eq(to.lock_max_s, 77);
	ck_assert_int_eq(ask(&f, &f.stranger, 1, 10, &to), ERR_STRANGER);
	ck_assert_int_eq(ask(&f, NULL, 1, 10, &to), ERR_STRANGER);
	/* The quota: of all that is here and all that comes. */
	ck_assert_int_eq(ask(&f, &f.owners[1], 1, 1000, &to), ERR_OK);
	ck_assert_int_eq(ask(&f, &f.owners[1], 1, 1001, &to), ERR_QUOTA);
	ck_assert_int_eq(ask(&f, &f.owners[1], 1, UINT64_MAX, &to), ERR_QUOTA);
	admission_added(f.a, &to.note, 0);
	to.note.owner = f.owners[1].pub;
	admission_added(f.a, &to.note, 600);
	ck_assert_uint_eq(admission_used(f.a, 1), 600);
	ck_assert_int_eq(ask(&f, &f.owners[1], 1, 401, &to), ERR_QUOTA);
	ck_assert_int_eq(ask(&f, &f.owners[1], 1, 400, &to), ERR_OK);
	/* What is here already is kept on. */
	ck_assert_int_eq(ask(&f, &f.owners[1], 1, 0, &to), ERR_OK);
	admission_free(f.a);
	set_up(&f, ACCEPT_NONE);
	ck_assert_int_eq(ask(&f, &f.owners[0], 1, 10, &to), ERR_REFUSED);
	ck_assert_int_eq(ask(&f, &f.owners[0], 1, 0, &to), ERR_OK);
	admission_free(f.a);
}
END_TEST

START_TEST(strangers_have_a_share)
{
	struct fixture f;
	struct admitted to;
	uint64_t taken = 0;

	set_up(&f, ACCEPT_ANYONE);
	admission_count_begin(f.a);
	admission_count_end(f.a);
	ck_assert_int_eq(ask(&f, NULL, 5, 2500, &to), ERR_OK);
	ck_assert_uint_eq(to.term_max_s, STRANGERS_TERM_S);
	ck_assert_uint_eq(to.lock_max_s, 0);
	ck_assert_uint_eq(to.note.group, 5);
	/* An eighth of a fifth for one network … */
	ck_assert_int_eq(ask(&f, NULL, 5, 2501, &to), ERR_QUOTA);
	/* … and a fifth for all. */
	for (uint64_t group = 1; ask(&f, NULL, group, 2500, &to) == ERR_OK; group++) {
		admission_added(f.a, &to.note, 2500);
		taken += 2500;
		ck_assert_int_eq(ask(&f, NULL, group, 1, &to), ERR_QUOTA);
	}
	ck_assert_uint_eq(taken, 20000);
	ck_assert_int_eq(ask(&f, NULL, 999, 1, &to), ERR_QUOTA);
	/* A forged grant makes a stranger; the owners are not touched by what strangers have. */
	ck_assert_int_eq(ask(&f, &f.stranger, 999, 1, &to), ERR_QUOTA);
	ck_assert_int_eq(ask(&f, &f.owners[0], 5, 50000, &to), ERR_OK);
	admission_free(f.a);
}
END_TEST

START_TEST(tours_count)
{
	struct fixture f;
	struct lease l[3] = { { .until = 200 }, { .until = 200 }, { .until = 50 } };
	struct lease again[2] = { { .until = 50 }, { .until = 200 } };
	struct admission_status s;

	set_up(&f, ACCEPT_ANYONE);
	l[0].note.owner = l[1].note.owner = f.owners[0].pub;
	l[2].note.owner = f.owners[1].pub; /* over */
	admission_count_begin(f.a);
	admission_count(f.a, l, 3, 100, 30);
	admission_count(f.a, &(struct lease){ .until = 200, .note.group = 9 }, 1, 100, 7);
	admission_count(f.a, NULL, 0, 100, 1);
	/* What comes meanwhile is in both sums. */
	admission_added(f.a, &(struct lease_note){ .owner = f.owners[0].pub }, 5);
	ck_assert_uint_eq(admission_used(f.a, 0), 5);
	admission_count_end(f.a);
	ck_assert_uint_eq(admission_used(f.a, 0), 35);
	ck_assert_uint_eq(admission_used(f.a, 1), 0);
	admission_status(f.a, &s);
	ck_assert_uint_eq(s.strangers_bytes, 8);
	ck_assert_uint_eq(s.strangers_max, 20000);
	/* The next one forgets what is gone. */
	admission_count_begin(f.a);
	admission_count_end(f.a);
	ck_assert_uint_eq(admission_used(f.a, 0), 0);
	/* One that is over does not stand for a later one of the same owner. */
	again[0].note.owner = again[1].note.owner = f.owners[0].pub;
	admission_count_begin(f.a);
	admission_count(f.a, again, 2, 100, 30);
	admission_count_end(f.a);
	ck_assert_uint_eq(admission_used(f.a, 0), 30);
	admission_free(f.a);
}
END_TEST

START_TEST(notes_are_kept_and_joined)
{
	struct keys lease = keys_of(50);
	struct lease a = { .generation = 1, .until = 900, .constraints.repair_at = 2 }, b, back;
	uint8_t ta[LEASE_KEPT_MAX], tb[LEASE_KEPT_MAX], joined[LEASE_KEPT_MAX];
	size_t la, lb, len;

	a.note.granted = true;
	a.note.grant = grant_of(&(struct keys){ 0 }, &lease);
	a.note.owner.b[0] = 4;
	lease_sign(&a, net, &lease.key, &lease.pub);
	b = a;
	b.generation = 2;
	b.until = 300;
	b.note = (struct lease_note){ 0 };
	lease_sign(&b, net, &lease.key, &lease.pub);
	la = lease_keep(&a, net, ta);
	lb = lease_keep(&b, net, tb);
	ck_assert_int_eq(lease_read(bytes_of(ta, la), net, &back), ERR_OK);
	ck_assert(back.note.granted && pubkey_equal(&back.note.owner, &a.note.owner));
	/* Without a note it is the lease alone. */
	ck_assert_uint_eq(lease_pack(&b, net, joined), lb);
	len = lease_kept_join(bytes_of(tb, lb), bytes_of(ta, la), joined);
	ck_assert_int_eq(lease_read(bytes_of(joined, len), net, &back), ERR_OK);
	ck_assert_uint_eq(back.generation, 2);
	ck_assert_uint_eq(back.note.promised, 900);
	ck_assert_uint_eq(lease_kept_promised(bytes_of(joined, len)), 900);
	ck_assert(back.note.granted && pubkey_equal(&back.note.owner, &a.note.owner));
	/* Joining again changes nothing. */
	ck_assert_uint_eq(lease_kept_join(bytes_of(joined, len), bytes_of(ta, la), tb), len);
	ck_assert_mem_eq(tb, joined, len);
	for (size_t cut = 0; cut < la; cut++) {
		ck_assert(lease_read(bytes_of(ta, cut), net, &back) != ERR_OK ||
			  cut == lease_pack(&a, net, tb));
		(void)lease_kept_join(bytes_of(ta, cut), bytes_of(ta, la), tb);
		(void)lease_kept_join(bytes_of(ta, la), bytes_of(ta, cut), tb);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("storage/admission");

	if (crypto_init() != ERR_OK)
		return EXIT_FAILURE;
	suite_add(s, "grants", 0, grants_open_for_whom_they_are_meant, NULL);
	suite_add(
	    s, "admission", 0, owners_and_nobody_else, strangers_have_a_share, tours_count, NULL);
	suite_add(s, "notes", 0, notes_are_kept_and_joined, NULL);
	return suite_main(s);
}
