/*
 * Small values that every layer passes about. 32-byte values are structs, so
 * that an id cannot be given where a key is wanted. Plain data, no ownership.
 */
#ifndef OVERLAY_BASE_TYPES_H
#define OVERLAY_BASE_TYPES_H

#include <endian.h>

#include <assert.h> /* static_assert; assert() itself is not used: see must() */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)

/* All spans of time are uint64_t nanoseconds unless a name says otherwise. */
#define MICROSECONDS(n) ((uint64_t)(n)*UINT64_C(1000))
#define MILLISECONDS(n) ((uint64_t)(n)*UINT64_C(1000000))
#define SECONDS(n)      ((uint64_t)(n)*UINT64_C(1000000000))
#define MINUTES(n)      SECONDS((uint64_t)(n)*60)
#define HOURS(n)        MINUTES((uint64_t)(n)*60)
#define DAYS(n)         HOURS((uint64_t)(n)*24)

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)    ((a) < (b) ? (a) : (b))
#define MAX(a, b)    ((a) > (b) ? (a) : (b))

/* A hint that memory is read soon; never fails, wherever it points. */
#define prefetch(p)   __builtin_prefetch(p)
#define PREFETCH_LINE 64 /* bytes; where a line is longer, some is asked for twice */

/* The same of len bytes, line by line. */
static inline void
prefetch_all(const void *at, size_t len)
{
	for (size_t i = 0; i < len; i += PREFETCH_LINE)
		prefetch((const char *)at + i);
}

/* The struct that holds a given member (embedded timers, works, list nodes). */
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Bytes lent for the length of a call (or as the callee states). */
struct bytes {
	const uint8_t *data;
	size_t len;
};

struct id { /* a point of the key space: SHA-256 of a public key or record key */
	uint8_t b[32];
};

/* The first 64 bits of an id as a number: the unit of sizes and radii. */
static inline uint64_t
id_top(const struct id *a)
{
	uint64_t v;

	memcpy(&v, a->b, sizeof(v));
	return be64toh(v);
}

struct hash { /* SHA-256 */
	uint8_t b[32];
};

struct key { /* secret: wiped by its owner (crypto_wipe) */
	uint8_t b[32];
};

struct pubkey { /* Ed25519 */
	uint8_t b[32];
};

struct sig { /* Ed25519 */
	uint8_t b[64];
};

/* First four bytes of SHA-256("skerry/network/1" ‖ name); in every packet. */
struct network_id {
	uint8_t b[4];
};

enum addr_family { ADDR_NONE = 0, ADDR_IPV4 = 4, ADDR_IPV6 = 6 };

/* An IP address and port. IPv4 uses ip[0..3], the rest is zero. */
struct addr {
	uint8_t family; /* enum addr_family */
	uint8_t ip[16];
	uint16_t port;
};

static inline struct bytes
bytes_of(const void *data, size_t len)
{
	return (struct bytes){ .data = data, .len = len };
}

static inline bool
bytes_equal(struct bytes a, struct bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline bool
id_equal(const struct id *a, const struct id *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

static inline bool
hash_equal(const struct hash *a, const struct hash *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

static inline bool
pubkey_equal(const struct pubkey *a, const struct pubkey *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

static inline bool
addr_equal(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && a->port == b->port &&
	       memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

#endif
