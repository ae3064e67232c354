/* Pieces of any length, in any order, from several threads: the file is what they make. */
#include "cmd/direct_out.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "overlay/base/crypto.h"
#include "overlay/base/err.h"
#include "test/unit/suite.h"

#define FILE_BYTES 3000001
#define PIECE      65520 /* of a block's plaintext: never aligned */
#define PIECES     ((FILE_BYTES + PIECE - 1) / PIECE)

struct writer {
	struct direct_out *out;
	const uint8_t *content;
	size_t from, step;
};

static void *
write_pieces(void *arg)
{
	struct writer *w = arg;

	/* Backwards, so that each edge waits for its other half. */
	for (size_t i = PIECES; i-- > 0;) {
		size_t at = i * PIECE, len = MIN((size_t)PIECE, FILE_BYTES - at);

		if (i % w->step == w->from)
			must(direct_out_write(w->out, at, w->content + at, len) == ERR_OK);
	}
	return NULL;
}

START_TEST(pieces_make_the_file)
{
	char path[] = "direct-out-XXXXXX";
	int fd = mkstemp(path);
	uint8_t *content = malloc(FILE_BYTES), *back = malloc(FILE_BYTES);
	struct direct_out *out = direct_out_new(fd, path);
	struct writer w[3];
	pthread_t threads[3];

	ck_assert_int_ge(fd, 0);
	for (size_t i = 0; i < FILE_BYTES; i++)
		content[i] = (uint8_t)(i * 31 + i / 65521);
	if (out != NULL) { /* else the file system has no direct writes: nothing to test */
		direct_out_expect(out, FILE_BYTES);
		for (size_t i = 0; i < 3; i++) {
			w[i] = (struct writer){ out, content, i, 3 };
			ck_assert_int_eq(pthread_create(&threads[i], NULL, write_pieces, &w[i]), 0);
		}
		for (size_t i = 0; i < 3; i++)
			pthread_join(threads[i], NULL);
		ck_assert_int_eq(direct_out_finish(out), ERR_OK);
		ck_assert_int_eq(ftruncate(fd, FILE_BYTES), 0);
		ck_assert_int_eq(pread(fd, back, FILE_BYTES, 0), FILE_BYTES);
		ck_assert_mem_eq(content, back, FILE_BYTES);
	}
	direct_out_free(out);
	close(fd);
	unlink(path);
	free(content);
	free(back);
}
END_TEST

START_TEST(small_pieces_meet_in_one_block)
{
	char path[] = "direct-out-XXXXXX", back[10];
	int fd = mkstemp(path);
	struct direct_out *out = direct_out_new(fd, path);

	if (out != NULL) {
		ck_assert_int_eq(direct_out_write(out, 5, (const uint8_t *)"fghij", 5), ERR_OK);
		ck_assert_int_eq(direct_out_write(out, 0, (const uint8_t *)"abcde", 5), ERR_OK);
		ck_assert_int_eq(direct_out_finish(out), ERR_OK);
		ck_assert_int_eq(pread(fd, back, 10, 0), 10);
		ck_assert_mem_eq(back, "abcdefghij", 10);
	}
	direct_out_free(out);
	close(fd);
	unlink(path);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("cmd/direct_out");

	suite_add(s, "direct_out", 20, pieces_make_the_file, small_pieces_meet_in_one_block, NULL);
	return suite_main(s);
}
