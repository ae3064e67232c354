/* Roots and proofs against a naive recursive tree, for every shape up to 70 leaves. */
#include "storage/merkle.h"

#include "overlay/base/crypto.h"
#include "test/unit/suite.h"

/* The definition, straight: split at the largest power of two below count (RFC 6962, 2.1). */
static void
naive_top(struct hash *out, const struct hash *leaves, uint32_t count)
{
	struct hash left, right;
	uint8_t in[65] = { 1 };
	uint32_t half = 1;

	if (count == 1) {
		*out = leaves[0];
		return;
	}
	while (half * 2 < count)
		half *= 2;
	naive_top(&left, leaves, half);
	naive_top(&right, leaves + half, count - half);
	memcpy(in + 1, left.b, 32);
	memcpy(in + 33, right.b, 32);
	crypto_sha256(out, in, sizeof(in));
}

static void
naive_root(struct hash *out, const struct hash *leaves, uint32_t count, uint64_t bytes)
{
	struct hash top;
	uint8_t in[41] = { 2 };

	naive_top(&top, leaves, count);
	for (int i = 0; i < 8; i++)
		in[1 + i] = (uint8_t)(bytes >> (56 - 8 * i));
	memcpy(in + 9, top.b, 32);
	crypto_sha256(out, in, sizeof(in));
}

static void
make_leaves(struct hash *leaves, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		merkle_leaf(&leaves[i], &i, sizeof(i));
}

START_TEST(roots_agree_with_definition)
{
	struct hash leaves[70], root, naive;

	make_leaves(leaves, 70);
	for (uint32_t count = 1; count <= 70; count++) {
		ck_assert_int_eq(merkle_root(&root, leaves, count, 1234), ERR_OK);
		naive_root(&naive, leaves, count, 1234);
		ck_assert(hash_equal(&root, &naive));
	}
}
END_TEST

START_TEST(every_proof_verifies_and_no_changed_one)
{
	struct hash leaves[70], root, wrong;
	struct merkle_proof p;

	make_leaves(leaves, 70);
	for (uint32_t count = 1; count <= 70; count++) {
		ck_assert_int_eq(merkle_root(&root, leaves, count, 99), ERR_OK);
		for (uint32_t i = 0; i < count; i++) {
			ck_assert_int_eq(merkle_prove(&p, leaves, count, i), ERR_OK);
			ck_assert_int_eq(merkle_verify(&root, &p, &leaves[i], count, 99), ERR_OK);
			ck_assert_int_eq(
			    merkle_verify(&root, &p, &leaves[i], count, 98), ERR_CORRUPT);
			wrong = leaves[i];
			wrong.b[i % 32] ^= 1;
			ck_assert_int_eq(merkle_verify(&root, &p, &wrong, count, 99), ERR_CORRUPT);
			if (p.count > 0) {
				p.path[i % p.count].b[3] ^= 4;
				ck_assert_int_eq(
				    merkle_verify(&root, &p, &leaves[i], count, 99), ERR_CORRUPT);
				p.path[i % p.count].b[3] ^= 4;
				p.count--;
				ck_assert_int_eq(
				    merkle_verify(&root, &p, &leaves[i], count, 99), ERR_CORRUPT);
			}
			p.leaf = count;
			ck_assert_int_eq(
			    merkle_verify(&root, &p, &leaves[i], count, 99), ERR_CORRUPT);
		}
	}
}
END_TEST

START_TEST(leaf_and_node_are_told_apart)
{
	uint8_t two[64] = { 1, 2, 3 };
	struct hash as_leaf, as_node, pair[2];

	memcpy(pair, two, sizeof(two));
	merkle_leaf(&as_leaf, two, sizeof(two));
	naive_top(&as_node, pair, 2);
	ck_assert(!hash_equal(&as_leaf, &as_node));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("storage/merkle");

	if (crypto_init() != ERR_OK)
		return EXIT_FAILURE;
	suite_add(s, "tree", 20, roots_agree_with_definition,
	    every_proof_verifies_and_no_changed_one, leaf_and_node_are_told_apart, NULL);
	return suite_main(s);
}
