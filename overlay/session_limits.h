/*
 * How much a session, and all of them together, may hold, do and wait. For the files of the
 * sessions only (session_private.h); what peers must know is in endpoint.h and doc/protocol.md.
 */
#ifndef OVERLAY_SESSION_LIMITS_H
#define OVERLAY_SESSION_LIMITS_H

#include "overlay/frame.h"

/* One read and what a read before it left of a frame. */
#define SESSION_IN_BYTES         (KIB(256) + FRAME_WIRE_MAX)
/* A first read, on the stack: the buffer above is only for those who send more. */
#define SESSION_IN_FEW           KIB(4)
/*
 * Output that waits for the peer. Streams' bytes are sealed up to a quarter of it: one large
 * write. Above half of it (answers that the peer does not fetch) incoming requests get ERR_BUSY.
 * Above all of it (control frames that the peer provokes and does not fetch) the session is closed.
 */
#define SESSION_OUT_MAX          MIB(1)
/* The same when the peer's address group has its share of SESSIONS_UNSENT_MAX: a full frame behind
 * a quarter, an answer behind half of it. More waits where it was queued before; then the session
 * is closed for half of it in control frames. */
#define SESSION_OUT_FEW          KIB(64)
/*
 * Memory of all sessions' output, shared by address groups by limits_share(): some hundred slow
 * readers, where honest ones are those of 64 transfers. Streams and answers stop at half of a
 * group's share, so that only who provokes control frames and fetches nothing comes to its end.
 * 4,096 sessions with 80 KiB beside it (a quarter of SESSION_OUT_FEW, a frame, and half of it that
 * is provoked) are little more than may wait unread.
 */
#define SESSIONS_UNSENT_MAX      MIB(128)
/* Moved by one session, each way, before others have their turn. */
#define SESSION_TURN_BYTES       MIB(1)
/* A pooled session not heard for SESSION_PING_AFTER must answer a ping in this time, else it is
 * stale and stream_open() connects anew: the hard failure time of datagrams. */
#define SESSION_PROOF_TIMEOUT    SECONDS(3)
/*
 * Of SESSIONS_MAX, so that strangers cannot take what own requests need. An address group (/24,
 * /64) gets its part by limits_share(): half of all for one, a third each for two.
 */
#define SESSIONS_INCOMING_MAX    (SESSIONS_MAX / 4 * 3)
/*
 * Handshakes that an address group may begin: 0.3 ms for 34 bytes of anything, and as much again
 * for a whole one, so that a stranger's machine has 3 % of a core. At once as many as may be half
 * open.
 */
#define HANDSHAKES_PER_S_NETWORK 50
/*
 * Memory of bytes that nobody has read yet, of all streams: what a small machine can spare. A
 * session may hold an eighth of what is left of it, so that many greedy ones share it and an
 * honest one still finds as much as they have.
 */
#define SESSIONS_UNREAD_MAX      MIB(256)
#define SESSION_UNREAD_SHARE     8
/* Of its part: a block that led above is as long as what came, or 256 streams' would fill it. */
#define SESSION_UNREAD_THRIFTY   8
/* Always allowed to a session: a few messages that come before their reader, in short blocks. */
#define SESSION_UNREAD_MIN       KIB(128)
/*
 * Tasks that serve, of TASKS_MAX, so that own work finds room. Groups share them by the same rule.
 */
#define SESSIONS_SERVING_MAX     (TASKS_MAX / 2)
/* Counts of groups by hash; two that meet in one share its part. 1 KiB, for large simulations. */
#define SESSIONS_GROUP_SLOTS     128
/* Spare memory unused for as long is given back. */
#define SESSION_TRIM_AFTER       SECONDS(10)
/* Hash slots of a session's streams: chains of 16 when both directions are full. */
#define SESSION_STREAM_SLOTS     32

#endif
