/*
 * How many entries name each content, for tests of what counts references (object/bucket.h):
 * contents are texts "c<number>".
 */
#ifndef TEST_UNIT_OBJECT_CONTENT_COUNTS_H
#define TEST_UNIT_OBJECT_CONTENT_COUNTS_H

#include "object/bucket.h"

#define CONTENT_COUNTS_MAX 4096

struct content_counts { /* embedded, and stays where it was initialised: refs points to it */
	struct content_refs refs;
	int named[CONTENT_COUNTS_MAX], before[CONTENT_COUNTS_MAX];
};

void content_counts_init(struct content_counts *c);
void content_counts_begin(struct content_counts *c); /* of a transaction */
void content_counts_back(struct content_counts *c);  /* to where it began */

#endif
