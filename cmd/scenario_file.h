/*
 * A scenario from its file: lines by inih, traces beside it. What is wrong is said on stderr with
 * file, line and what would be right.
 */
#ifndef CMD_SCENARIO_FILE_H
#define CMD_SCENARIO_FILE_H

#include "sim/scenario.h"

/* The lines. out is initialised here. ERR_NOT_FOUND, ERR_INVALID, ERR_IO: told already. Blocks. */
int scenario_load(const char *command, const char *path, struct scenario *out);
/*
 * Once all is said, by the file and by others: whether it makes sense as a whole in a run of
 * span ns, and the traces that are named in the end. ERR_INVALID, ERR_IO: told already. Blocks.
 */
int scenario_ready(const char *command, const char *path, uint64_t span, struct scenario *s);
void scenario_unload(struct scenario *s); /* frees its traces */

#endif
