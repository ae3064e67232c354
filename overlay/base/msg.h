/*
 * Messages: msgpack maps with small integer keys. The only file that sees
 * msgpack-c is msg.c. Unknown keys are ignored by readers; duplicate keys,
 * trailing bytes, depth over MSG_DEPTH_MAX, element counts that exceed the
 * bytes at hand or MSG_PAIRS_MAX, map keys that are no unsigned integers and
 * the types that nobody writes here (nil, floats, extensions) are refused
 * before anything is allocated.
 */
#ifndef OVERLAY_BASE_MSG_H
#define OVERLAY_BASE_MSG_H

#include "overlay/base/buf.h"
#include "overlay/base/types.h"

/* Deepest nesting of any message of ours is 4; twice that leaves room. */
#define MSG_DEPTH_MAX 8
/* The widest map of ours has about 20 keys; it keeps the search for duplicates short. */
#define MSG_PAIRS_MAX 64

/* ---- writing: appends to a buf whose max bounds the message; sticky error ---- */
struct msg_writer {
	struct buf *out;
	int err;
};

struct msg_writer msg_writer_on(struct buf *out);
void msg_put_map(struct msg_writer *w, uint32_t pairs); /* ≤ MSG_PAIRS_MAX */
void msg_put_array(struct msg_writer *w, uint32_t items);
void msg_put_u64(struct msg_writer *w, uint64_t v);
void msg_put_i64(struct msg_writer *w, int64_t v);
void msg_put_bool(struct msg_writer *w, bool v);
void msg_put_bin(struct msg_writer *w, struct bytes v);
void msg_put_str(struct msg_writer *w, const char *v);
/* key and value in one go */
void msg_pair_u64(struct msg_writer *w, uint32_t key, uint64_t v);
void msg_pair_i64(struct msg_writer *w, uint32_t key, int64_t v);
void msg_pair_bool(struct msg_writer *w, uint32_t key, bool v);
void msg_pair_bin(struct msg_writer *w, uint32_t key, struct bytes v);
void msg_pair_str(struct msg_writer *w, uint32_t key, const char *v);
void msg_key(struct msg_writer *w, uint32_t key);
int msg_done(const struct msg_writer *w); /* ERR_OK or the first error */

/* ---- reading: a parsed message that lends from the input bytes ---- */
struct msg;      /* opaque: checked input */
struct msg_node; /* opaque: a value inside it */

/* Checks exactly one value; no memory is taken. gives *out (msg_free). The input must outlive it,
 * unchanged. */
int msg_parse(struct bytes in, struct msg **out);
void msg_free(struct msg *m);
const struct msg_node *msg_root(const struct msg *m);

/* Map access; NULL when the node is no map or has no such key. */
const struct msg_node *msg_get(const struct msg_node *map, uint32_t key);
/* Typed access by key (a map of NULL, or an item of NULL, is absent, so look-ups chain):
 * ERR_NOT_FOUND when absent, ERR_INVALID on another type or range. */
int msg_get_u64(const struct msg_node *map, uint32_t key, uint64_t max, uint64_t *out);
int msg_get_i64(const struct msg_node *map, uint32_t key, int64_t *out);
int msg_get_bool(const struct msg_node *map, uint32_t key, bool *out);
int msg_get_bin(const struct msg_node *map, uint32_t key, size_t max, struct bytes *out);
int msg_get_fixed(
    const struct msg_node *map, uint32_t key, void *out, size_t len); /* bin of exactly len */
int msg_get_str(const struct msg_node *map, uint32_t key, char *out,
    size_t cap); /* no NUL inside; terminated */

/* Arrays. */
int msg_get_array(const struct msg_node *map, uint32_t key, size_t max, const struct msg_node **out,
    size_t *count);
const struct msg_node *msg_item(const struct msg_node *array, size_t index);

/*
 * msg_parse() of a map, and the values of its keys 0 to count − 1, NULL where there is none, in
 * one pass; each msg_get_*() takes one of its own. For what comes often and is read whole.
 * ERR_INVALID also when it is no map; what out holds then is not to be used.
 */
int msg_read(struct bytes in, const struct msg_node **out, size_t count);
/* As msg_get_*() of that value. */
int msg_node_u64(const struct msg_node *n, uint64_t max, uint64_t *out);
int msg_node_i64(const struct msg_node *n, int64_t *out);
int msg_node_bool(const struct msg_node *n, bool *out);
int msg_node_bin(const struct msg_node *n, size_t max, struct bytes *out);
int msg_node_fixed(const struct msg_node *n, void *out, size_t len);

#endif
