/* The keeper's documented times: part of keeper_private.h, which divides them by the network's
 * pace. */
#ifndef STORAGE_KEEPER_TIMES_H
#define STORAGE_KEEPER_TIMES_H

#include "storage/patience.h"

/* Whose turn it is to repair has so long until a sign of progress ([10]). */
#define CLAIM_TIME      MINUTES(10)
/* A fresh chunk is completed to n by its gateway first, then by its siblings ([7]). */
#define COMPLETE_AFTER  MINUTES(5)
#define FRESH_FOR       HOURS(48)
/* Too many vanished within the first: repair waits, at most for the second ([10]). */
#define PAUSE_WINDOW    HOURS(1)
#define PAUSE_MAX       HOURS(6)
/*
 * A sibling that is gone and replaced stays known for so long: two halves of a cut network, each of
 * which has replaced the other, find each other by nothing else.
 */
#define FORGET_AFTER    (7 * HOURS(24))
/* Of two holders of one shard the one with the higher hash drops its copy after so long. */
#define DUPLICATE_AFTER HOURS(24)
/*
 * What test networks' times are not divided below: a datagram's way and its repetition; two
 * questions that get lost; a chunk's way through a busy machine.
 */
#define TIME_FLOOR      SECONDS(1)
#define GRACE_FLOOR     SECONDS(7)
#define CLAIM_FLOOR     SECONDS(10)

#endif
