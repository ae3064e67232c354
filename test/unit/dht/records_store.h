/* A store of records for the tests of it. */
#ifndef TEST_UNIT_DHT_RECORDS_STORE_H
#define TEST_UNIT_DHT_RECORDS_STORE_H

#include <check.h>

#include "dht/records.h"

static inline struct records *
store(uint64_t bytes_max)
{
	struct records *s = records_new(&(struct records_opts){ .bytes_max = bytes_max });

	ck_assert_ptr_nonnull(s);
	return s;
}

#endif
