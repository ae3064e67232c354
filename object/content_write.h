/*
 * Writing a content: bytes come in as they come, without a file, of known or unknown length; what
 * comes out says where they lie (content.h).
 *
 *   content_write → buffer of a chunk (from the budget) → full: its own task seals it in workers
 *                   and puts it, while the next one fills
 *   content_finish → the rest, as a small chunk, into a pack or into the entry itself; all leases
 *                   raised to the full term; a long list becomes a manifest of its own
 *
 * All writers of a process share a memory_budget (object/budget.h): who finds it used up waits in
 * turn. A writer asks for a chunk's whole need before its first byte and needs nothing more to get
 * rid of it, so that any number of them waiting comes to an end; but a client that sends nothing
 * holds what its upload has, and whoever serves clients must give up on such ones in time.
 *
 * A content is committed (content_named, content_refs.h) within CONTENT_NAMED_WITHIN_S of
 * content_finish, or it is dropped (content_dropped). What is not finished ends by itself, its
 * leases run for 48 h.
 */
#ifndef OBJECT_CONTENT_WRITE_H
#define OBJECT_CONTENT_WRITE_H

#include "object/budget.h"
#include "object/content.h"
#include "object/placing.h"

#define CONTENT_BYTES_UNKNOWN UINT64_MAX

struct content_writer;
struct packs;

struct content_write_opts {
	struct files *files;          /* lent; it needs no account */
	struct memory_budget *memory; /* lent */
	/* Lent; NULL: nothing is packed, as of parts, which are joined later, and of what is
	 * locked. */
	struct packs *packs;
	bool may_inline;
	const struct key
	    *customer; /* lent; of SSE-C (sse.h): neither inline nor packed; NULL: none */
	bool
	    whole_list; /* the list stays in *out, however long: for who seals it into a manifest */
	uint64_t bytes; /* CONTENT_BYTES_UNKNOWN; else another length is ERR_INVALID */
	struct placing_opts placing;
};
int content_writer_new(const struct content_write_opts *opts, struct content_writer **out);
/*
 * Takes a copy of data. Suspends while the budget or the chunks in flight are used up. An error is
 * final: of a chunk that could not be placed, or ERR_TOO_BIG (more than it was to be).
 */
SUSPENDS int content_write(struct content_writer *w, struct bytes data);
/*
 * The same without a copy, for who has a source to read from: where the next bytes go, at least
 * one, and then how many of them there are. Between the two calls the room may be filled in a
 * worker; none is a pause, not the end.
 */
SUSPENDS int content_room(struct content_writer *w, uint8_t **room, size_t *len);
SUSPENDS int content_filled(struct content_writer *w, size_t len);
/*
 * All is placed, at s holders at least, and leased for the full term: then, and only then, *out (an
 * init'ed one) may be named. Once.
 */
SUSPENDS int content_finish(struct content_writer *w, struct content *out);
/* How it went, also when it went wrong; chunks 0: inline, or nothing was placed. Lends. */
const struct placing_told *content_writer_told(const struct content_writer *w);
/*
 * For a finished one that is a part of another write, which may yet fail: its chunks are withdrawn
 * with that from now on. ERR_NOMEM: they are withdrawn when this one is freed.
 */
int content_hand_over(struct content_writer *w, struct placing *to);
/* Ends what goes on; unless it was finished, nothing stays leased for longer than 48 h. */
SUSPENDS void content_writer_free(struct content_writer *w);

/*
 * The parts' contents, in order, as one (an init'ed *out): no byte is read or written but for the
 * list, when it is long. Parts are written without may_inline and packs, and shared with nobody:
 * ERR_STATE for others. What held the lists of listed parts is in *spare (an init'ed one), and goes
 * to the trash in the transaction that names *out and forgets the parts (content_trash_chunks).
 */
struct content_join_opts {
	struct files *files; /* lent */
	struct placing_opts placing;
	const struct content *const *parts;
	size_t count; /* ≤ MANIFEST_SEGMENTS_MAX */
};
SUSPENDS int content_join(
    const struct content_join_opts *opts, struct content *out, struct manifest *spare);

#endif
