/*
 * The one list of errors. Every function that can fail returns 0 (ERR_OK) or
 * a negative ERR_* and leaves its out-parameters untouched on failure.
 * errno and library results are translated where they occur (err_from_errno).
 * The numbers travel in RPC answers: never renumber, append only.
 */
#ifndef OVERLAY_BASE_ERR_H
#define OVERLAY_BASE_ERR_H

/*    code, name,           text for people */
#define ERR_LIST(X)                                                                                \
	X(0, OK, "success")                                                                        \
	X(-1, NOMEM, "out of memory")                                                              \
	X(-2, INVALID, "malformed or out of range")                                                \
	X(-3, TOO_BIG, "larger than the limit")                                                    \
	X(-4, VERSION, "unknown version")                                                          \
	X(-5, CORRUPT, "checksum or hash does not match")                                          \
	X(-6, AUTH, "signature or authentication failed")                                          \
	X(-7, TIMEOUT, "timed out")                                                                \
	X(-8, CANCELED, "cancelled")                                                               \
	X(-9, CLOSED, "connection closed")                                                         \
	X(-10, REFUSED, "refused")                                                                 \
	X(-11, BUSY, "busy, try again")                                                            \
	X(-12, FULL, "full")                                                                       \
	X(-13, NOT_FOUND, "not found")                                                             \
	X(-14, EXISTS, "exists already")                                                           \
	X(-15, UNREACHABLE, "not enough peers answer")                                             \
	X(-16, IO, "input/output error")                                                           \
	X(-17, NO_SPACE, "no space left on the device")                                            \
	X(-18, PERMISSION, "permission denied")                                                    \
	X(-19, NO_NETWORK, "no peer of the network answers")                                       \
	X(-20, WRONG_NETWORK, "belongs to another network")                                        \
	X(-21, STATE, "not possible in this state")                                                \
	X(-22, END, "end of data")                                                                 \
	X(-23, UNSUPPORTED, "not supported")                                                       \
	X(-24, STALE, "older than what is known")                                                  \
	X(-25, PLACEMENT, "no peers fit the placement rules")                                      \
	X(-26, LOCKED, "locked by its owner until a later date")                                   \
	X(-27, STRANGER, "the owner is not among those that are accepted")                         \
	X(-28, QUOTA, "the share of the owner or of the network is used up")                       \
	X(-29, UNKNOWN, "it may have happened or not")

enum err {
#define X(code, name, text) ERR_##name = (code),
	ERR_LIST(X)
#undef X
};

/* Text of an error; never NULL ("unknown error" for a foreign number). */
const char *err_text(int err);

/* Name as in the list ("TIMEOUT"), for machines; never NULL. */
const char *err_name(int err);

/*
 * What a status that a peer gave stands for here. Codes that tell of our own task or memory
 * (CANCELED, TIMEOUT, CLOSED, NOMEM) are BUSY, and those that are not a peer's to give REFUSED, so
 * that no peer's word passes for our own end.
 */
int err_foreign(int status);

/* Translates an errno value; 0 gives ERR_OK, unknown ones ERR_IO. */
int err_from_errno(int errnum);

/*
 * must(cond): a broken promise of our own code. Stays on in every build,
 * prints file, line and condition to stderr and aborts.
 */
#define must(cond) ((cond) ? (void)0 : must_failed(__FILE__, __LINE__, #cond))
_Noreturn void must_failed(const char *file, int line, const char *cond);

#endif
