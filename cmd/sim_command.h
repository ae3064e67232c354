/* Inside of `skerry sim`: its options, and what running and fuzzing share. */
#ifndef CMD_SIM_COMMAND_H
#define CMD_SIM_COMMAND_H

#include "cmd/values.h"
#include "overlay/base/log.h"
#include "sim/run.h"
#include "sim/story.h"
#include "sim/units.h"

#define SIM_SETS_MAX 32

enum sim_crypto { SIM_CRYPTO_AUTO, SIM_CRYPTO_REAL, SIM_CRYPTO_STAND_IN };

struct sim_command {
	const char *name;
	uint64_t nodes, span, lookups, minutes, stories;
	struct sim_seed {
		uint64_t value;
		bool given;
	} seed;
	struct sim_sets {
		size_t count;
		const char *text[SIM_SETS_MAX];
	} sets;
	enum sim_crypto crypto;
	const char *report;
	bool json, quiet, stand_in, shrink;
	bool weather, churn, records; /* of stories */
	uint32_t without;             /* faults of stories */
	enum log_level log_level;
	uintptr_t heap_seen; /* up to here it lies in huge pages */
	uint64_t told_at;    /* of the progress line */
	bool line_shown;
};

/* Once per process, before any key is made. False: told. */
bool sim_crypto(const char *command, bool stand_in);
int sim_fuzz(struct sim_command *c); /* an exit code */
/* For struct run_host and the like; arg is not used. */
uint64_t sim_cpu_ms(void *arg);
uint64_t sim_wall_ms(void *arg);
bool sim_interrupted(void *arg); /* Ctrl-C was pressed */
/* Takes the progress line away, before any other line. */
void sim_line_clear(struct sim_command *c);

#endif
