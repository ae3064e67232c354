/* Lists that are lent: the same one again, to nobody with another key, and what is lent stays. */
#include "object/list_cache.h"

#include <stdlib.h>

#include "overlay/base/err.h"
#include "test/unit/suite.h"

static struct manifest *
make(uint32_t number, size_t chunks)
{
	static const uint8_t hints[1][8] = { { 1 } };
	const struct code_params code = { 1, 1, 1 };
	struct manifest *m = malloc(sizeof(*m));
	struct hash id = { { 1 } };

	must(m != NULL);
	manifest_init(m);
	m->plain_bytes = number;
	for (size_t i = 0; i < chunks; i++)
		must(manifest_add_chunk(m, &id, &code, 100, hints) == ERR_OK);
	return m;
}

static struct hash
top_of(uint32_t number)
{
	struct hash h;

	crypto_sha256(&h, &number, sizeof(number));
	return h;
}

static const struct key key = { { 7 } }, other = { { 8 } };

static void
add(struct list_cache *c, uint32_t number, size_t chunks, struct list_loan *loan)
{
	struct hash top = top_of(number);

	list_cache_add(c, &top, &key, make(number, chunks), loan);
	ck_assert_uint_eq(loan->list->plain_bytes, number);
}

static bool
find(struct list_cache *c, uint32_t number, const struct key *k)
{
	struct hash top = top_of(number);
	struct list_loan loan = { NULL, NULL };
	bool found = list_cache_find(c, &top, k, &loan);

	if (found) {
		ck_assert_uint_eq(loan.list->plain_bytes, number);
		list_cache_return(&loan);
		ck_assert_ptr_null(loan.list);
	}
	return found;
}

START_TEST(the_one_used_longest_ago_gives_way)
{
	struct list_cache c;
	struct list_loan loan;

	list_cache_init(&c);
	for (uint32_t i = 0; i < LIST_CACHE_LISTS; i++) {
		add(&c, i, 1, &loan);
		list_cache_return(&loan);
	}
	ck_assert(find(&c, 0, &key));
	ck_assert(!find(&c, 0, &other));
	add(&c, 100, 1, &loan);
	list_cache_return(&loan);
	ck_assert(find(&c, 0, &key));
	ck_assert(!find(&c, 1, &key));
	ck_assert(find(&c, 100, &key));
	list_cache_fini(&c);
}
END_TEST

START_TEST(what_is_lent_stays)
{
	struct list_cache c;
	struct list_loan loans[LIST_CACHE_LISTS], more;

	list_cache_init(&c);
	for (uint32_t i = 0; i < LIST_CACHE_LISTS; i++)
		add(&c, i, 1, &loans[i]);
	add(&c, 100, 1, &more); /* no room: lent all the same, and not kept */
	ck_assert(!find(&c, 100, &key));
	list_cache_return(&more);
	for (uint32_t i = 0; i < LIST_CACHE_LISTS; i++) {
		ck_assert(find(&c, i, &key));
		ck_assert_uint_eq(loans[i].list->plain_bytes, i);
		list_cache_return(&loans[i]);
	}
	list_cache_fini(&c);
}
END_TEST

START_TEST(very_long_ones_are_not_kept)
{
	struct list_cache c;
	struct list_loan loan;

	list_cache_init(&c);
	add(&c, 1, LIST_CACHE_CHUNKS, &loan);
	list_cache_return(&loan);
	add(&c, 2, LIST_CACHE_CHUNKS + 1, &loan);
	list_cache_return(&loan);
	ck_assert(find(&c, 1, &key));
	ck_assert(!find(&c, 2, &key));
	list_cache_fini(&c);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("object/list_cache");

	if (crypto_init() != ERR_OK)
		return EXIT_FAILURE;
	suite_add(s, "lists", 0, the_one_used_longest_ago_gives_way, what_is_lent_stays,
	    very_long_ones_are_not_kept, NULL);
	return suite_main(s);
}
