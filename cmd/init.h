/* Setting up a directory: what init, recover and testnet do alike. */
#ifndef CMD_INIT_H
#define CMD_INIT_H

#include "cmd/options.h"
#include "cmd/values.h"
#include "object/account.h"
#include "overlay/base/env.h"

struct init {
	const char *dir_option;
	const char *passphrase_file, *phrase_file;
	char network[NETWORK_NAME_MAX];
	struct contact_names bootstraps;
	bool test_network;
	uint8_t pow_bits;
	bool pow_bits_given;
};
extern const struct option init_options[]; /* their target is a struct init */
/* Settings, then the account; what is wrong is told. ERR_EXISTS: there is an account. Blocks. */
int init_set_up(const struct init *i, const char *command);
/*
 * The same where there is an account: settings that are given replace those that are there. A
 * phrase that is given must be that account's, else ERR_EXISTS. Blocks.
 */
int init_go_on(const struct init *i, const char *command, const char *dir);

/* Writes dir/account, sealed when passphrase is not "". ERR_EXISTS. Blocks. */
int init_account(const char *dir, struct env *env, struct account *account, const char *passphrase);

#endif
