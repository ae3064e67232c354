/* What init and testnet do alike. */
#ifndef CMD_INIT_H
#define CMD_INIT_H

#include "object/account.h"
#include "overlay/base/env.h"

/* Writes dir/account, sealed when passphrase is not "". ERR_EXISTS. Blocks. */
int init_account(const char *dir, struct env *env, struct account *account, const char *passphrase);

#endif
