/*
 * Reads histories of calls on a bucket from the standard input, and says of each whether one
 * sequence explains it. A call a line: what, answer, from, to, key, value, expected, got, and what
 * was listed under each key, as in struct history_call; an empty line ends a history. Exit status:
 * 0 when there was one and all are explained, 1 when one is not, 2 for wrong input.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "test/unit/object/bucket_history.h"

#define LINE_MAX_BYTES 512

static bool
read_call(const char *line, struct history_call *c)
{
	unsigned what, answer, key, value, expected, got, list[HISTORY_KEYS];

	_Static_assert(HISTORY_KEYS == 4, "the line has a number for each key");
	if (sscanf(line, "%u %u %" SCNu64 " %" SCNu64 " %u %u %u %u %u %u %u %u", &what, &answer,
		&c->from, &c->to, &key, &value, &expected, &got, &list[0], &list[1], &list[2],
		&list[3]) != 12)
		return false;
	if (what > HISTORY_LIST || answer > HISTORY_UNKNOWN || key >= HISTORY_KEYS ||
	    c->from > c->to)
		return false;
	c->what = what;
	c->answer = answer;
	c->key = (uint8_t)key;
	c->value = (uint16_t)value;
	c->expected = (uint16_t)expected;
	c->got = (uint16_t)got;
	for (int i = 0; i < HISTORY_KEYS; i++)
		c->list[i] = (uint16_t)list[i];
	return true;
}

int
main(void)
{
	static struct history_call calls[HISTORY_CALLS_MAX];
	char line[LINE_MAX_BYTES];
	unsigned long histories = 0, wrong = 0;
	uint32_t count = 0;

	while (fgets(line, sizeof(line), stdin) != NULL) {
		if (line[0] != '\n') {
			if (count == HISTORY_CALLS_MAX || !read_call(line, &calls[count])) {
				fprintf(stderr, "history %lu: no call, or one too many: %s",
				    histories, line);
				return 2;
			}
			count++;
			continue;
		}
		if (!history_explained(calls, count)) {
			printf("history %lu is not explained\n", histories);
			wrong++;
		}
		histories++;
		count = 0;
	}
	if (count != 0) {
		fprintf(stderr, "history %lu does not end\n", histories);
		return 2;
	}
	printf("%lu of %lu histories are explained\n", histories - wrong, histories);
	return histories > 0 && wrong == 0 ? 0 : 1;
}
