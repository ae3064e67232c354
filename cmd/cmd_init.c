/*
 * skerry init: a directory from which files can be put: settings, and an account whose phrase is
 * shown this one time. Refuses where an account is. Also brings an account back from its phrase.
 */
#include "cmd/init.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/client.h"
#include "cmd/command.h"
#include "cmd/dirs.h"
#include "cmd/say.h"
#include "overlay/base/env_real.h"

/* 24 words, with blanks and newlines as people write them. */
#define PHRASE_FILE_MAX 4096

static bool
set_pow_bits_given(void *field, const char *text)
{
	struct init *i = container_of(field, struct init, pow_bits);

	i->pow_bits_given = set_pow_bits(field, text);
	return i->pow_bits_given;
}

#define FIELD(member) .offset = offsetof(struct init, member)

const struct option init_options[] = {
	{ "dir", 0, "DIR", "The directory to set up; else $SKERRY_DIR, else ~/.skerry.", RIGHT_DIR,
	    set_text, NULL, FIELD(dir_option) },
	{ "network", 0, "NAME", "The network (default skerry).",
	    "lower-case letters, digits, '-' and '.', at most 63", set_network, NULL,
	    FIELD(network) },
	{ "bootstrap", 0, "CONTACT", "A peer to ask first, PUBKEY@host:port; give several.",
	    RIGHT_CONTACT, set_contacts, NULL, FIELD(bootstraps), .list = true },
	{ "passphrase-file", 0, "FILE", "Seal the account with the passphrase in its first line.",
	    RIGHT_FILE, set_text, NULL, FIELD(passphrase_file) },
	{ "phrase-file", 0, "FILE", "Bring an account back from its 24 words; - is standard input.",
	    RIGHT_FILE, set_text, NULL, FIELD(phrase_file) },
	{ "pow-bits", 0, "BITS", "Proof of work of the network's nodes (default 16).",
	    "a number from 0 to 32", set_pow_bits_given, NULL, FIELD(pow_bits) },
	{ "test-network", 0, NULL, "All peers of the network are on this machine.", RIGHT_SWITCH,
	    set_switch, NULL, FIELD(test_network) },
	{ NULL },
};

int
init_account(const char *dir, struct env *env, struct account *account, const char *passphrase)
{
	char path[PATH_BYTES_MAX];
	uint8_t random[40];
	int err = dirs_path(dir, DIRS_ACCOUNT, path);

	env_random(env, random, sizeof(random));
	if (err == ERR_OK)
		err = account_save(env->disk, path, account, passphrase, random);
	crypto_wipe(random, sizeof(random));
	return err;
}

/* The seed from the words in a file. */
static int
read_phrase(const char *command, const char *path, struct account *out)
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	char text[PHRASE_FILE_MAX];
	unsigned word = 0;
	size_t n;
	int err;

	if (f == NULL) {
		say_error(command, "cannot read %s: %s", path, strerror(errno));
		return ERR_IO;
	}
	(void)setvbuf(f, NULL, _IONBF, 0);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	if (f != stdin)
		(void)fclose(f);
	err = phrase_to_seed(text, &out->seed, &word);
	crypto_wipe(text, sizeof(text));
	if (err != ERR_OK && word != 0)
		say_error(command, "word %u of the phrase is not in the list", word);
	else if (err != ERR_OK)
		say_error(
		    command, "this is not a phrase of %d words that belong together", PHRASE_WORDS);
	return err;
}

static int
write_settings(const struct init *i, const char *command, const char *dir)
{
	struct settings *s = malloc(sizeof(*s));
	char why[SETTINGS_ERROR_MAX];
	int err;

	if (s == NULL)
		return ERR_NOMEM;
	settings_default(s);
	err = settings_load(dir, s, why);
	if (err != ERR_OK && err != ERR_NOT_FOUND) {
		say_error(command, "%s", why);
		free(s);
		return err;
	}
	/* A node's settings are kept; what was given here is added. */
	if (i->network[0] != '\0')
		memcpy(s->network, i->network, sizeof(s->network));
	if (i->bootstraps.count > 0)
		s->bootstraps = i->bootstraps;
	if (i->pow_bits_given)
		s->pow_bits = i->pow_bits;
	s->test_network |= i->test_network;
	err = settings_save(dir, s);
	if (err != ERR_OK)
		say_error(command, "cannot write %s/%s: %s", dir, SETTINGS_FILE, err_text(err));
	free(s);
	return err;
}

/* A node in the same directory keeps its own owner's files. */
static int
accept_self(const char *command, const char *dir, const struct account *account)
{
	struct settings *s = malloc(sizeof(*s));
	char why[SETTINGS_ERROR_MAX], key[2 * sizeof(struct pubkey) + 1];
	struct pubkey owner;
	int err;

	if (s == NULL)
		return ERR_NOMEM;
	account_owner(account, &owner);
	hex_encode(key, owner.b, sizeof(owner.b));
	settings_default(s);
	err = settings_load(dir, s, why);
	if (err != ERR_OK)
		say_error(command, "%s", why);
	/* It may be there already, of an account that is brought back. */
	if (err == ERR_OK && set_owners(&s->owners, key)) {
		err = settings_save(dir, s);
		if (err != ERR_OK)
			say_error(
			    command, "cannot write %s/%s: %s", dir, SETTINGS_FILE, err_text(err));
	}
	free(s);
	return err;
}

static int
show_words(const char *command, const char *dir, const struct account *account)
{
	char words[PHRASE_TEXT_MAX];
	bool shown;

	phrase_from_seed(&account->seed, words);
	shown = printf("%s\n", words) > 0 && fflush(stdout) == 0;
	crypto_wipe(words, sizeof(words));
	if (!shown) {
		say_error(command, "cannot show the words of the account: %s", strerror(errno));
		return ERR_IO;
	}
	say_note("These 24 words are the account: who has them can bring it back, and who "
		 "loses them and %s cannot.\nThey are shown this one time. Write them down.",
	    dir);
	return ERR_OK;
}

/* An account whose words nobody has seen, or of a directory half set up, does not stay. */
static int
complete(const struct init *i, const char *command, const char *dir, const struct account *account)
{
	char path[PATH_BYTES_MAX];
	int err = accept_self(command, dir, account);

	if (err == ERR_OK && i->phrase_file == NULL)
		err = show_words(command, dir, account);
	if (err != ERR_OK && dirs_path(dir, DIRS_ACCOUNT, path) == ERR_OK)
		(void)disk_unlink(disk_real(), path);
	return err;
}

static int
make_account(const struct init *i, const char *command, const char *dir, struct env *env)
{
	char pass[PASSPHRASE_MAX] = "";
	struct account account = { 0 };
	int err = ERR_OK;

	if (i->passphrase_file != NULL)
		err = client_passphrase(i->passphrase_file, pass);
	if (err != ERR_OK) {
		say_error(command, "no passphrase in the first line of %s: %s", i->passphrase_file,
		    err_text(err));
		return err;
	}
	if (i->phrase_file != NULL)
		err = read_phrase(command, i->phrase_file, &account);
	else
		env_random(env, account.seed.b, sizeof(account.seed.b));
	if (err == ERR_OK) {
		err = init_account(dir, env, &account, pass);
		if (err == ERR_EXISTS)
			say_error(command, "%s has an account already; it is left alone", dir);
		else if (err != ERR_OK)
			say_error(
			    command, "cannot write the account into %s: %s", dir, err_text(err));
	}
	if (err == ERR_OK)
		err = complete(i, command, dir, &account);
	account_wipe(&account);
	crypto_wipe(pass, sizeof(pass));
	return err;
}

/* Settings first: an account without them would have to be completed by hand. */
int
init_set_up(const struct init *i, const char *command)
{
	char dir[PATH_BYTES_MAX], path[PATH_BYTES_MAX];
	struct env *env;
	bool made;
	int err = dirs_find(command, i->dir_option, dir);

	if (err != ERR_OK)
		return err;
	err = dirs_make(dir, &made);
	if (err == ERR_OK)
		err = dirs_path(dir, DIRS_ACCOUNT, path);
	if (err != ERR_OK) {
		say_error(command, "cannot use the directory %s: %s", dir, dirs_why(err));
		return err;
	}
	if (dirs_exists(path)) {
		say_error(command, "%s has an account already; it is left alone", dir);
		return ERR_EXISTS;
	}
	err = write_settings(i, command, dir);
	if (err != ERR_OK)
		return err;
	err = env_real_new(&(struct env_real_opts){ .cpu_threads = 1 }, &env);
	if (err != ERR_OK) {
		say_error(command, "cannot start: %s", err_text(err));
		return err;
	}
	err = make_account(i, command, dir, env);
	env_real_free(env);
	if (err == ERR_OK && i->bootstraps.count == 0)
		say_note("note: %s/%s names no peer to ask yet: give --bootstrap, or add lines",
		    dir, SETTINGS_FILE);
	return err;
}

/* Equal words bring the same account back twice; of others nothing is touched. */
static int
check_words(const struct init *i, const char *command, const char *dir)
{
	struct account there = { 0 }, words = { 0 };
	int err = read_phrase(command, i->phrase_file, &words);

	if (err == ERR_OK)
		err = client_account(command, dir, i->passphrase_file, &there);
	if (err == ERR_OK && !crypto_equal(&there.seed, &words.seed, sizeof(there.seed))) {
		say_error(command,
		    "%s has an account already, of other words than these; it is left alone", dir);
		err = ERR_EXISTS;
	}
	account_wipe(&there);
	account_wipe(&words);
	return err;
}

int
init_go_on(const struct init *i, const char *command, const char *dir)
{
	int err = i->phrase_file != NULL ? check_words(i, command, dir) : ERR_OK;
	bool given = i->network[0] != '\0' || i->bootstraps.count > 0 || i->pow_bits_given ||
		     i->test_network;

	return err == ERR_OK && given ? write_settings(i, command, dir) : err;
}

static int
init_run(const struct command *self, int argc, char **argv)
{
	struct init *i = calloc(1, sizeof(*i));
	struct operands operands;
	int code = EXIT_FAILED;

	if (i == NULL)
		return EXIT_FAILED;
	if (command_parse(self, argc, argv, (struct option_group[]){ { init_options, i } }, 1,
		&operands, &code))
		code = init_set_up(i, self->name) == ERR_OK ? EXIT_OK : EXIT_FAILED;
	free(i);
	return code;
}

const struct command command_init = {
	.name = "init",
	.synopsis = "[--dir DIR] [--bootstrap CONTACT ...] [option ...]",
	.brief = "set up a directory with an account",
	.about =
	    "Makes the directory, its settings file and an account, and prints the account's 24\n"
	    "words on standard output, this one time. An account that is there is left alone.\n"
	    "\n"
	    "  skerry init --bootstrap 3f0c...@node.example:7730 --passphrase-file pass",
	.options = (const struct option *const[]){ init_options, NULL },
	.run = init_run,
};
