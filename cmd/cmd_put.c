/*
 * skerry put: a file or standard input into the network, its link on standard output. Told on
 * stderr: how many holders signed for their piece, how many losses that survives, and who could
 * stop the file alone. The link is printed once the put is acknowledged, never before.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/client.h"
#include "cmd/json.h"
#include "cmd/progress.h"
#include "cmd/say.h"
#include "cmd/stream_io.h"

enum put_wait { WAIT_ALL, WAIT_ENOUGH };

struct put {
	struct client_options client;
	struct code_params code;
	enum put_wait wait;
	struct country_list countries, not_countries;
	uint8_t regions, per_country, per_operator, per_network;
	uint64_t term_days, lock_s;
	const char *name;
	const char *path;
	struct input input;
	struct progress progress;
	struct client *c;
};

static bool
set_wait(void *field, const char *text)
{
	bool all = strcmp(text, "n") == 0;

	if (!all && strcmp(text, "s") != 0)
		return false;
	*(enum put_wait *)field = all ? WAIT_ALL : WAIT_ENOUGH;
	return true;
}

#define FIELD(member) .offset = offsetof(struct put, member)
#define RIGHT_SHARES  "a number from 1 to 255"

static const struct option put_options[] = {
	{ "code", 0, "K/R/N", "How the file is coded: any K of N pieces rebuild it.", RIGHT_CODE,
	    set_code, NULL, FIELD(code) },
	{ "wait", 0, "s|n", "Return at s receipts (half of the way from K to N), or at all N.",
	    "s or n", set_wait, NULL, FIELD(wait) },
	{ "country", 0, "CC[,CC...]", "Only peers in these countries.",
	    "countries such as DE or DE,FR", set_countries, NULL, FIELD(countries), .list = true },
	{ "not-country", 0, "CC[,CC...]", "No peers in these countries.",
	    "countries such as DE or DE,FR", set_countries, NULL, FIELD(not_countries),
	    .list = true },
	{ "regions", 0, "COUNT", "At least so many regions.", RIGHT_SHARES, set_byte, NULL,
	    FIELD(regions) },
	{ "per-country", 0, "COUNT", "At most so many pieces in one country.", RIGHT_SHARES,
	    set_byte, NULL, FIELD(per_country) },
	{ "per-operator", 0, "COUNT", "At most so many pieces with one operator.", RIGHT_SHARES,
	    set_byte, NULL, FIELD(per_operator) },
	{ "per-network", 0, "COUNT", "At most so many pieces in one network (/24 or /64).",
	    RIGHT_SHARES, set_byte, NULL, FIELD(per_network) },
	{ "term", 0, "DAYS", "How long holders are asked to keep it (default 400).",
	    "a number from 1 to 800", set_days, NULL, FIELD(term_days) },
	{ "lock", 0, "TIME", "So long nobody can delete it, you included (default: not at all).",
	    RIGHT_DURATION, set_duration, NULL, FIELD(lock_s) },
	{ "name", 0, "NAME", "The name that the file carries, instead of its own.", RIGHT_NAME,
	    set_file_name, NULL, FIELD(name) },
	{ NULL },
};

static void
on_progress(void *arg, uint64_t done, uint64_t total)
{
	struct put *p = arg;

	progress_update(&p->progress, done, total);
}

/* What the owner asks of every holder; false when it contradicts itself. */
static bool
constraints_make(const struct put *p, struct constraints *out)
{
	const struct country_list *list =
	    p->countries.count > 0 ? &p->countries : &p->not_countries;

	*out = (struct constraints){
		.regions_min = p->regions,
		.per_country_max = p->per_country,
		.per_operator_max = p->per_operator,
		.per_network_max = p->per_network,
		.countries_count = (uint8_t)list->count,
		.countries_forbidden = p->not_countries.count > 0,
	};
	memcpy(out->countries, list->code, sizeof(out->countries));
	return p->countries.count == 0 || p->not_countries.count == 0;
}

static const char *
base_name(const struct put *p)
{
	const char *slash;

	if (p->name != NULL)
		return p->name;
	if (strcmp(p->path, "-") == 0)
		return NULL;
	slash = strrchr(p->path, '/');
	return slash != NULL ? slash + 1 : p->path;
}

/* ---- telling ---- */

/* Why peers that were asked took nothing, in one line; nothing when none refused. */
static void
tell_refusals(const struct put_refusals *r)
{
	if (r->stranger > 0)
		say_note("%u refusals: this account is a stranger there; who runs the peer can add "
			 "the key that \"" PROGRAM_NAME " owner\" prints to its settings",
		    r->stranger);
	if (r->quota > 0)
		say_note("%u refusals: the share of this account, or of strangers, is used up",
		    r->quota);
	if (r->full > 0)
		say_note("%u refusals: no room", r->full);
	if (r->silent > 0)
		say_note("%u refusals: no answer", r->silent);
	if (r->busy > 0)
		say_note(
		    "%u refusals: busy, only just started, or away soon; try again soon", r->busy);
	if (r->term > 0)
		say_note("%u refusals: kept for %" PRIu64 " days at most; --term asks for less",
		    r->term, r->term_max_s / 86400);
	if (r->lock > 0 && r->lock_max_s == 0)
		say_note("%u refusals: no locks are granted", r->lock);
	else if (r->lock > 0)
		say_note("%u refusals: the longest lock granted is %" PRIu64 " hours", r->lock,
		    r->lock_max_s / 3600);
	if (r->other > 0)
		say_note("%u refusals for other reasons", r->other);
}

static void
tell_failure(const struct put *p, int err, const struct put_refusals *refusals)
{
	const char *command = p->c->command;

	if (client_stopping(p->c))
		return;
	if (!input_unchanged(&p->input))
		say_error(command, "%s changed while it was read; nothing was stored", p->path);
	else if (err == ERR_PLACEMENT)
		say_error(command,
		    "too few peers fit: they must be enough for the code, have room, "
		    "and meet the rules that were given");
	else if (err == ERR_UNREACHABLE)
		say_error(command,
		    "too few peers signed for their pieces: the file is not stored; try again");
	else if (err == ERR_INVALID)
		say_error(command,
		    "%s cannot be read as it was when it was opened, or the code or "
		    "the name is not possible",
		    p->path);
	else
		say_error(command, "cannot store %s: %s", p->path, err_text(err));
	if (err == ERR_PLACEMENT || err == ERR_UNREACHABLE)
		tell_refusals(refusals);
}

static int
tell_json(const struct put *p, const struct file_put_result *r, const char *link,
    const char *verify, const char *warning)
{
	struct json_value *o = json_make_object();
	char code[12];

	json_put_text(o, "link", link);
	json_put_text(o, "verify", verify);
	json_put_number(o, "bytes", r->bytes);
	json_put_number(o, "chunks", r->chunks);
	json_put_text(o, "code", code_print(&r->code, code));
	json_put_number(o, "placed", r->placed_min);
	json_put_number(o, "wanted", r->code.n);
	json_put_number(o, "survives", r->placed_min > r->code.k ? r->placed_min - r->code.k : 0);
	json_put_number(o, "countries", r->report.countries);
	json_put_number(o, "regions", r->report.regions);
	json_put_number(o, "operators", r->report.operators);
	json_put_text(o, "warning", warning);
	(void)p;
	return json_say(o);
}

static int
tell_success(const struct put *p, struct file_put_result *r)
{
	char link[LINK_TEXT_MAX], verify[LINK_TEXT_MAX], warning[256];
	uint8_t losses = (uint8_t)(r->placed_min - MIN(r->code.k, r->placed_min));
	struct link v;
	int err = ERR_OK;

	if (!p->client.quiet)
		say_note("placed %u of %u", r->placed_min, r->code.n);
	(void)placement_warning(&r->report, r->code.k, r->code.n, warning, sizeof(warning));
	if (r->placed_min < r->code.n)
		say_note(
		    "warning: as it is now the file survives the loss of %u holder%s, not of %u",
		    losses, losses == 1 ? "" : "s", r->code.n - r->code.k);
	else if (losses == 0)
		say_note("warning: with the code %u/%u/%u the file survives no loss at all",
		    r->code.k, r->code.r, r->code.n);
	if (warning[0] != '\0')
		say_note("note: %s", warning);
	link_print(&r->link, link);
	link_to_verify(&r->link, &v);
	link_print(&v, verify);
	if (p->client.json)
		err = tell_json(p, r, link, verify, warning);
	else if (printf("%s\n", link) < 0 || fflush(stdout) != 0)
		err = ERR_IO;
	crypto_wipe(link, sizeof(link));
	link_wipe(&v);
	if (err != ERR_OK) {
		say_error(p->c->command,
		    "the file is stored, but its link could not be printed: %s", err_text(err));
		return EXIT_FAILED;
	}
	return r->placed_min < r->code.n && p->wait == WAIT_ALL ? EXIT_WARNED : EXIT_OK;
}

/* ---- doing ---- */

static SUSPENDS int
put_work(struct client *c, void *arg)
{
	struct put *p = arg;
	struct file_put_result *r = calloc(1, sizeof(*r));
	struct file_put_opts opts = {
		.name = base_name(p),
		.code = p->code.k != 0 ? p->code : c->settings.code,
		.term_s = p->term_days * 24 * 3600,
		.lock_s = p->lock_s,
		.wait_s = p->wait == WAIT_ENOUGH,
		.progress = on_progress,
		.arg = p,
	};
	int err, code;

	p->c = c;
	if (r == NULL) {
		say_error(c->command, "out of memory");
		return EXIT_FAILED;
	}
	(void)constraints_make(p, &opts.constraints); /* checked before */
	input_source(&p->input, &opts.source);
	progress_start(&p->progress, c->env, "put", p->client.quiet);
	err = file_put(c->files, &opts, r);
	progress_stop(&p->progress);
	if (err == ERR_OK && !input_unchanged(&p->input))
		err = ERR_INVALID;
	if (err != ERR_OK)
		tell_failure(p, err, &r->refusals);
	code = err != ERR_OK ? client_exit_code(err) : tell_success(p, r);
	link_wipe(&r->link);
	free(r);
	return code;
}

/* A read that waits for a pipe would hold up the end. */
static void
put_stopping(void *arg)
{
	struct put *p = arg;

	input_stop(&p->input);
}

static int
put_run(const struct command *self, int argc, char **argv)
{
	struct put *p = calloc(1, sizeof(*p));
	struct operands operands;
	struct constraints rules;
	int code = EXIT_FAILED;

	if (p == NULL)
		return EXIT_FAILED;
	p->client = (struct client_options)CLIENT_OPTIONS_DEFAULT;
	if (client_parse(self, argc, argv, (struct option_group){ put_options, p }, &p->client,
		&operands, &code)) {
		p->path = operands.text[0];
		if (p->lock_s > (p->term_days == 0 ? LEASE_TERM_S : p->term_days * 86400)) {
			say_error(self->name, "--lock is longer than the file is kept (--term)");
			code = EXIT_USAGE;
		} else if (!constraints_make(p, &rules)) {
			say_error(self->name, "--country and --not-country exclude each other");
			code = EXIT_USAGE;
		} else if (!input_open(&p->input, p->path)) {
			say_error(self->name, "cannot read %s: %s", p->path, strerror(errno));
			code = EXIT_FAILED;
		} else {
			code = client_run(&(struct client_work){
			    .command = self->name,
			    .options = &p->client,
			    .account = true,
			    .run = put_work,
			    .stopping = put_stopping,
			    .arg = p,
			});
			input_close(&p->input);
		}
	}
	free(p);
	return code;
}

const struct command command_put = {
	.name = "put",
	.synopsis = "FILE|- [option ...]",
	.operands_least = 1,
	.operands_most = 1,
	.brief = "store a file and print its link",
	.about =
	    "Encrypts the file, stores it among the peers and prints its link on standard output.\n"
	    "The link is all that is needed to read the file, and the only thing: keep it.\n"
	    "\n"
	    "  skerry put photo.jpg --dir ~/.skerry > photo.link\n"
	    "  tar c project | skerry put - --code 4/6/8 --country DE,FR\n"
	    "\n"
	    "Exit code 3: stored, but with fewer pieces than wanted. 1: not stored.",
	.options = (const struct option *const[]){ put_options, client_options,
	    client_account_options, NULL },
	.run = put_run,
};
