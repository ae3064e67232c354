/*
 * Values in a store: small durable state of other parts of a node (registers, evidence, where a
 * walk is), each under a key. Like all of the store: loop thread only.
 */
#ifndef STORAGE_STORE_VALUES_H
#define STORAGE_STORE_VALUES_H

#include "overlay/base/buf.h"
#include "storage/store.h"

#define STORE_VALUE_MAX 10200

/* One space per kind of value, so that keys cannot collide. */
enum store_space { STORE_REGISTER = 1, STORE_QUOTA, STORE_NODE, STORE_STANDING, STORE_EVIDENCE };

/* Durable when it returns; an empty value removes. The last call wins. ERR_TOO_BIG. */
SUSPENDS int store_set_value(
    struct store *s, enum store_space space, const struct hash *key, struct bytes value);

/* Many at once: by one sync where they fit a group of records (RECORDS_EXTENT_MAX). After a crash
 * or an error none of them is there without all before it. */
struct store_value {
	struct hash key;
	struct bytes value; /* lent */
};
SUSPENDS int store_set_values(
    struct store *s, enum store_space space, const struct store_value *at, size_t count);

/* ERR_NOT_FOUND. */
SUSPENDS int store_value(
    struct store *s, enum store_space space, const struct hash *key, struct buf *out);
/* The smallest key ≥ from. ERR_NOT_FOUND at the end. */
SUSPENDS int store_next_value(
    struct store *s, enum store_space space, const struct hash *from, struct hash *key);

#endif
