/*
 * skerry operator: makes an operator's key, and countersigns a node's key with it, so that the
 * operator's key never has to lie on the node.
 */
#include <stdio.h>

#include "cmd/command.h"
#include "cmd/operator.h"
#include "cmd/say.h"
#include "cmd/settings.h"
#include "overlay/base/env_real.h"

struct operator_command {
	char network[NETWORK_NAME_MAX];
};

static const struct option operator_options[] = {
	{ "network", 0, "NAME", "The network that the countersignature is for (default skerry).",
	    "a network's name", set_network, NULL, offsetof(struct operator_command, network),
	    .with = "sign" },
	{ NULL },
};

static int
make_key(const char *command, const char *path)
{
	struct env *env;
	struct key seed;
	int err = env_real_new(&(struct env_real_opts){ .cpu_threads = 1 }, &env);

	if (err == ERR_OK) {
		env_random(env, seed.b, sizeof(seed.b));
		err = operator_create(env->disk, path, &seed);
		crypto_wipe(&seed, sizeof(seed));
		env_real_free(env);
	}
	if (err == ERR_EXISTS)
		say_error(command, "%s exists already; a key is never overwritten", path);
	else if (err != ERR_OK)
		say_error(command, "cannot write %s: %s", path, err_text(err));
	return err == ERR_OK ? EXIT_OK : EXIT_FAILED;
}

static int
sign_node(const struct operator_command *o, const char *command, const char *path, const char *hex)
{
	char text[COUNTERSIGNATURE_TEXT_MAX];
	struct pubkey node, pub;
	struct network_id net;
	struct sign_key key;
	struct sig sig;
	int err;

	if (hex_decode(node.b, sizeof(node.b), hex, strlen(hex)) != ERR_OK) {
		say_error(command,
		    "\"%.80s\" is no node's key; right would be the 64 hexadecimal "
		    "digits before the @ of its contact",
		    hex);
		return EXIT_USAGE;
	}
	err = operator_load(path, &key, &pub);
	if (err != ERR_OK) {
		say_error(command, "cannot use %s as an operator's key: %s", path, err_text(err));
		return EXIT_FAILED;
	}
	network_id_of_name(o->network, &net);
	peer_record_countersign(&key, &net, &node, &sig);
	crypto_wipe(&key, sizeof(key));
	printf("%s", operator_print(&pub, &node, &sig, text));
	return EXIT_OK;
}

static int
operator_run(const struct command *self, int argc, char **argv)
{
	struct operator_command o = { .network = SETTINGS_NETWORK };
	struct operands operands;
	int code;

	if (!command_parse(self, argc, argv, (struct option_group[]){ { operator_options, &o } }, 1,
		&operands, &code))
		return code;
	if (strcmp(operands.text[0], "new") == 0 && operands.count == 2)
		return make_key(self->name, operands.text[1]);
	if (strcmp(operands.text[0], "sign") == 0 && operands.count == 3)
		return sign_node(&o, self->name, operands.text[1], operands.text[2]);
	say_error(self->name, "right would be: %s operator %s", PROGRAM_NAME, self->synopsis);
	return EXIT_USAGE;
}

const struct command command_operator = {
	.name = "operator",
	.synopsis = "new FILE | sign FILE NODEKEY [--network NAME]",
	.operands_least = 2,
	.operands_most = 3,
	.brief = "make an operator's key, countersign a node's key",
	.about =
	    "An operator runs nodes; placement keeps pieces of one chunk apart by operator.\n"
	    "new writes a secret key to FILE. sign prints, for one node, a countersignature that\n"
	    "the node is given as --operator; the key itself stays where it is.\n"
	    "\n"
	    "  skerry operator new me.key\n"
	    "  skerry operator sign me.key 3f0c... > node7.operator",
	.options = (const struct option *const[]){ operator_options, NULL },
	.run = operator_run,
};
