/*
 * Small words for stories of a map: a text put, read and compared, as the tasks that they are.
 */
#ifndef TEST_UNIT_OBJECT_MAP_WORDS_H
#define TEST_UNIT_OBJECT_MAP_WORDS_H

#include "test/unit/object/map_fixture.h"

#define TEXT(s) bytes_of(s, strlen(s))

struct put_text {
	struct map *map;
	const char *key, *value; /* value NULL: deleted */
	int result;              /* of the function itself */
	int err;
};
int put_text_task(void *arg);
int put_text(struct gateway *g, const char *key, const char *value);

struct get_text {
	struct map *map;
	enum map_fresh fresh;
	const char *key;
	char value[64];
	uint64_t stale_ms; /* as of the view */
};
int get_text_task(void *arg);
/* What is there is what is wanted. */
int get_text(struct gateway *g, enum map_fresh fresh, const char *key, const char *want);

int checkpoint(struct gateway *g);

#endif
