/*
 * Pages of a snapshot: sorted entries as bytes (layout: doc/disk.md), read in place by position,
 * and built by appending. Pure.
 */
#ifndef OBJECT_MAP_PAGE_H
#define OBJECT_MAP_PAGE_H

#include "object/kv.h"

/* Unpacked: the largest that opts.page_bytes makes, half as much again, and an entry. */
#define MAP_PAGE_TARGET_MAX  MIB(2)
#define MAP_PAGE_PLAIN_MAX   (2 * MAP_PAGE_TARGET_MAX + KIB(128))
#define MAP_PAGE_ENTRY_BYTES 6 /* beside key and value */

struct map_page {
	struct buf plain; /* owned */
	uint32_t count;
	uint32_t *at; /* of each entry in plain, owned */
};
/*
 * Takes plain, also when it fails. ERR_INVALID: keys that do not ascend, or bytes that are no
 * entries; ERR_NOMEM.
 */
int map_page_parse(struct buf *plain, struct map_page *out);
void map_page_fini(struct map_page *p);
struct bytes map_page_key(const struct map_page *p, uint32_t i);
struct bytes map_page_value(const struct map_page *p, uint32_t i);
/* The first entry ≥ key; count: none. */
uint32_t map_page_seek(const struct map_page *p, struct bytes key);
size_t map_page_memory(const struct map_page *p);

/* ---- building ---- */
int map_page_append(struct buf *out, struct bytes key, struct bytes value);
/*
 * Where to cut plain entries so that about target bytes lie before: at an entry's begin, after the
 * first, never past the end. 0 when there are fewer than two entries.
 */
size_t map_page_cut(struct bytes plain, size_t target);
uint32_t map_page_count(struct bytes plain);
/* First and last key of entries; there is one. */
struct bytes map_page_first_key(struct bytes plain);
struct bytes map_page_last_key(struct bytes plain);
/* How many leading bytes of b suffice to be greater than a; a < b. */
size_t map_page_separator(struct bytes a, struct bytes b);

#endif
