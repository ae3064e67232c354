/*
 * Is a history of calls on a bucket linearizable? Each call took some time, and of some nobody
 * knows whether they took place. Searches for one sequence that explains every answer (Wing and
 * Gong, "Testing and Verifying Concurrent Objects", 1993; with the memory of Lowe, 2017). Objects
 * are their ETags; versions, sizes and bytes are not checked here.
 */
#ifndef TEST_UNIT_OBJECT_BUCKET_HISTORY_H
#define TEST_UNIT_OBJECT_BUCKET_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#define HISTORY_CALLS_MAX 64
#define HISTORY_KEYS      4
#define HISTORY_NEVER     UINT64_MAX

enum history_what {
	HISTORY_PUT,
	HISTORY_PUT_NEW,  /* If-None-Match: * */
	HISTORY_PUT_OVER, /* If-Match: expected */
	HISTORY_DELETE,
	HISTORY_GET,
	HISTORY_LIST,
};
enum history_answer {
	HISTORY_OK,
	HISTORY_REFUSED, /* 412 */
	HISTORY_ABSENT,  /* 404 */
	HISTORY_UNKNOWN, /* it may take place at any time since, or not at all */
};

/* 0: no object. */
struct history_call {
	enum history_what what;
	enum history_answer answer;
	uint64_t from, to; /* of an unknown one HISTORY_NEVER */
	uint8_t key;
	uint16_t value, expected;    /* put; If-Match */
	uint16_t got;                /* get */
	uint16_t list[HISTORY_KEYS]; /* list */
};

/* At most HISTORY_CALLS_MAX. All objects are absent in the beginning. */
bool history_explained(const struct history_call *calls, uint32_t count);

#endif
