/* Rot where it hurts: for stories about holders whose disk gives wrong bytes. */
#ifndef SIM_SPOIL_H
#define SIM_SPOIL_H

#include "sim/disk.h"

/* One bit of every leaf of every shard in dir's segment files is wrong from now on, however often
 * it is called; how many leaves. The store is not told. */
size_t spoil_shards(struct sim_disk *d, const char *dir);

#endif
