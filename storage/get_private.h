/*
 * The inside of a chunk's read, shared by get.c (windows and fetching), get_deliver.c (rebuilding
 * and handing on, in workers) and get_blame.c (who lied).
 */
#ifndef STORAGE_GET_PRIVATE_H
#define STORAGE_GET_PRIVATE_H

#include "storage/chunks_private.h"

enum column_state { COLUMN_UNUSED, COLUMN_FETCHING, COLUMN_DONE, COLUMN_FAILED };

/* One shard's leaves of a window. */
struct column {
	struct window *window;
	enum column_state state;
	uint8_t index;
	uint8_t *data;       /* window's column_bytes; NULL: never started */
	struct contact from; /* who was asked; the slot of the index may name another by now */
	uint64_t started_at, moved_at; /* moved: its last bytes */
};

struct window {
	struct get *get;
	uint32_t number, first_row, rows;
	size_t bytes; /* of one column */
	struct wait wait;
	bool waiting;
	uint32_t taken; /* pieces that the sink has */
	bool whole;     /* k columns; else get's narrow ones only */
	struct task_group fetches;
	struct column columns[SHARDS_MAX]; /* by index */
};

struct get {
	struct chunks *c;
	struct env *env;
	const struct chunk_ref *ref;
	const struct chunk_sink *sink;
	const struct coder *coder;
	struct layout layout;
	struct holders *holders;
	uint32_t first_row, end_row, window_rows;
	size_t column_bytes; /* of a full window */
	/*
	 * What lies in one row, and in fewer than k of its leaves, is read from these alone: leaves
	 * first … last have pieces piece_first … piece_last. A failure makes it whole.
	 */
	bool narrow;
	uint8_t leaf_first, leaf_last, piece_first, piece_last;
	uint32_t next_window; /* to be started */
	uint32_t windows;
	uint32_t turn; /* ordered: the window that may deliver */
	struct window *active[WINDOWS_IN_FLIGHT];
	uint64_t moved_at; /* last bytes of whatever column */
	int err;
};

/*
 * Hands a window with k done columns to the sink, rebuilding data leaves that were not fetched.
 * ERR_AUTH, ERR_CORRUPT: some column is wrong; called again, it goes on behind the pieces that were
 * taken. Waits for its turn when the sink is ordered.
 */
SUSPENDS int window_deliver(struct window *w);
/*
 * Checks each done column against the descriptor; blames and fails those that are wrong. ERR_OK
 * with *dropped columns to be fetched from others; none dropped means that all are what was
 * uploaded.
 */
SUSPENDS int window_check(struct window *w, size_t *dropped);

#endif
