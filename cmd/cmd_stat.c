/*
 * skerry stat and skerry verify: what a link stands for and who holds it, and whether all of it is
 * alive. Nothing is downloaded but the manifest. stat needs a read link for name and size; verify
 * takes both kinds.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/client.h"
#include "cmd/json.h"
#include "cmd/links.h"
#include "cmd/objects_rm.h"
#include "cmd/say.h"
#include "cmd/survey.h"

/* More lines than that say less: then only the chunks with something missing are listed. */
#define CHUNK_LINES_MAX 16

struct sight_command {
	struct client_options client;
	struct link link;
	bool verify;
	struct survey survey;
	const char *version; /* stat, of an object */
};

static const struct option stat_options[] = {
	{ "version", 0, "ID", "this version, not the latest.", "an id that ls --versions shows",
	    set_text, NULL, offsetof(struct sight_command, version), .with = "sk://" },
	{ NULL },
};

/* ---- for people ---- */

static void
print_facts(const struct survey *s)
{
	const struct file_info *f = &s->info;
	struct placement_report report;
	char clean[NAME_CLEAN_MAX], size[SAY_SIZE_MAX], when[SAY_TIME_MAX], link[LINK_TEXT_MAX],
	    warning[256];

	if (f->readable)
		printf("name       %s\n",
		    f->name[0] != '\0' ? say_clean(f->name, clean, sizeof(clean)) : "(none)");
	printf("size       %s (%" PRIu64 " bytes)\n", say_size(f->bytes, size), f->bytes);
	if (f->readable)
		printf("stored     %s\n", say_time(f->created_ms / 1000, SAY_MINUTE, when));
	if (survey_until(s) != 0)
		printf("kept until %s\n", say_time(survey_until(s), SAY_MINUTE, when));
	printf("code       %u/%u/%u: any %u of %u pieces of each part rebuild it\n", f->code.k,
	    f->code.r, f->code.n, f->code.k, f->code.n);
	printf("parts      %" PRIu64 " and the manifest, %s on all peers\n", f->parts,
	    say_size(f->stored_bytes, size));
	survey_report(s, &report);
	printf("placement  each part on up to %u peers, %u countries, %u regions, %u operators, "
	       "%u networks\n",
	    report.shards, report.countries, report.regions, report.operators, report.networks);
	(void)placement_warning(&report, f->code.k, f->code.n, warning, sizeof(warning));
	if (warning[0] != '\0')
		printf("note       %s\n", warning);
	link_print(&f->verify, link);
	printf("verify     %s\n", link);
	crypto_wipe(link, sizeof(link));
}

static void
print_peers(const struct survey *s)
{
	printf("\nPEER              ADDRESS                COUNTRY  REGION            PIECES\n");
	for (size_t i = 0; i < s->peers_count; i++) {
		const struct survey_peer *p = &s->peers[i];
		char id[17], addr[ADDR_TEXT_MAX], country[3] = "?";

		hex_encode(id, p->contact.id.b, 8);
		if (p->known && p->record.country[0] != '\0')
			memcpy(country, p->record.country, 2);
		printf("%s  %-21s  %-7s  %-16s  %u of %u alive\n", id,
		    addr_format(&p->contact.addr, addr), country,
		    p->known && p->record.region[0] != '\0' ? p->record.region : "?", p->live,
		    p->pieces);
	}
}

static void
print_chunks(const struct survey *s)
{
	bool all = s->chunks_count <= CHUNK_LINES_MAX;
	size_t whole = 0;

	printf("\n");
	for (size_t i = 0; i < s->chunks_count; i++) {
		const struct survey_chunk *c = &s->chunks[i];
		char name[40] = "manifest";

		if (c->number != UINT64_MAX)
			(void)snprintf(name, sizeof(name), "part %" PRIu64, c->number + 1);
		whole += c->live == c->code.n;
		if (all || c->live < c->code.n)
			printf("%-16s %u of %u pieces alive, %u needed%s\n", name, c->live,
			    c->code.n, c->code.k, c->live < c->code.k ? ": CANNOT BE READ" : "");
	}
	if (!all)
		printf("%zu of %zu parts are whole\n", whole, s->chunks_count);
}

/* ---- for machines ---- */

static struct json_value *
chunks_json(const struct survey *s, bool pieces)
{
	struct json_value *list = json_make_array();

	for (size_t i = 0; i < s->chunks_count; i++) {
		const struct survey_chunk *c = &s->chunks[i];
		struct json_value *o = json_make_object(), *holders = json_make_array();

		if (c->number == UINT64_MAX)
			json_put_text(o, "part", "manifest");
		else
			json_put_number(o, "part", c->number);
		json_put_number(o, "k", c->code.k);
		json_put_number(o, "n", c->code.n);
		json_put_number(o, "alive", c->live);
		for (size_t j = 0; pieces && j < c->code.n; j++) {
			struct json_value *v = json_make_object();

			json_put_flag(v, "alive", c->pieces[j].live);
			if (c->pieces[j].peer != SURVEY_NOBODY)
				json_put_number(v, "peer", c->pieces[j].peer);
			json_add_value(holders, v);
		}
		if (pieces)
			json_put_value(o, "pieces", holders);
		else
			json_free(holders);
		json_add_value(list, o);
	}
	return list;
}

static struct json_value *
peers_json(const struct survey *s)
{
	struct json_value *list = json_make_array();

	for (size_t i = 0; i < s->peers_count; i++) {
		const struct survey_peer *p = &s->peers[i];
		struct json_value *o = json_make_object();
		char addr[ADDR_TEXT_MAX], country[3] = "";

		json_put_hex(o, "id", p->contact.id.b, sizeof(p->contact.id.b));
		json_put_text(o, "address", addr_format(&p->contact.addr, addr));
		if (p->known && p->record.country[0] != '\0') {
			memcpy(country, p->record.country, 2);
			json_put_text(o, "country", country);
		}
		if (p->known && p->record.region[0] != '\0')
			json_put_text(o, "region", p->record.region);
		json_put_number(o, "pieces", p->pieces);
		json_put_number(o, "alive", p->live);
		json_add_value(list, o);
	}
	return list;
}

static struct json_value *
stat_json(const struct survey *s)
{
	const struct file_info *f = &s->info;
	struct json_value *o = json_make_object();
	struct placement_report report;
	char code[12], link[LINK_TEXT_MAX], warning[256];

	if (f->readable)
		json_put_text(o, "name", f->name);
	json_put_number(o, "bytes", f->bytes);
	json_put_number(o, "created_ms", f->created_ms);
	json_put_number(o, "kept_until", survey_until(s));
	json_put_text(o, "code", code_print(&f->code, code));
	json_put_number(o, "chunks", f->chunks);
	json_put_number(o, "stored_bytes", f->stored_bytes);
	survey_report(s, &report);
	json_put_number(o, "countries", report.countries);
	json_put_number(o, "regions", report.regions);
	json_put_number(o, "operators", report.operators);
	json_put_number(o, "most_in_country", report.most_in_country);
	json_put_text(o, "warning",
	    placement_warning(&report, f->code.k, f->code.n, warning, sizeof(warning)));
	link_print(&f->verify, link);
	json_put_text(o, "verify", link);
	crypto_wipe(link, sizeof(link));
	json_put_value(o, "peers", peers_json(s));
	json_put_value(o, "parts", chunks_json(s, true));
	return o;
}

static struct json_value *
verify_json(const struct survey *s, size_t not_whole, size_t lost)
{
	struct json_value *o = json_make_object();

	json_put_number(o, "chunks", s->info.chunks);
	json_put_number(o, "not_whole", not_whole);
	json_put_number(o, "lost", lost);
	json_put_signed(o, "least_spare", s->least);
	json_put_value(o, "parts", chunks_json(s, false));
	return o;
}

/* ---- doing ---- */

static int
tell(struct sight_command *a)
{
	struct survey *s = &a->survey;
	size_t not_whole, lost;
	int err = ERR_OK;

	survey_count(s, &not_whole, &lost);
	if (a->client.json) {
		err = json_say(a->verify ? verify_json(s, not_whole, lost) : stat_json(s));
	} else {
		if (!a->verify) {
			print_facts(s);
			print_peers(s);
		}
		print_chunks(s);
		err = fflush(stdout) == 0 ? ERR_OK : ERR_IO;
	}
	if (err != ERR_OK || !a->verify)
		return client_exit_code(err);
	if (lost > 0)
		say_error(
		    s->c->command, "%zu of %zu parts cannot be read now", lost, s->chunks_count);
	else if (not_whole > 0)
		say_note(
		    "warning: %zu of %zu parts have fewer pieces than wanted; the worst survives "
		    "the loss of %d more",
		    not_whole, s->chunks_count, s->least);
	return lost > 0 ? EXIT_UNREACHABLE : not_whole > 0 ? EXIT_WARNED : EXIT_OK;
}

static SUSPENDS int
sight_work(struct client *c, void *arg)
{
	struct sight_command *a = arg;
	struct file_missing missing = { 0 };
	int err = links_check_network(c, &a->link);

	if (err != ERR_OK)
		return EXIT_FAILED;
	survey_init(&a->survey, c);
	err = survey_run(&a->survey, &a->link, !a->verify, &missing);
	if (err == ERR_UNREACHABLE)
		links_tell_missing(c->command, &missing);
	else if (err != ERR_OK && !client_stopping(c))
		say_error(c->command, "cannot survey the file: %s", err_text(err));
	return err == ERR_OK ? tell(a) : client_exit_code(err);
}

static int
look_at(const struct command *self, struct sight_command *a, const char *what)
{
	int code;

	if (!a->verify && url_is(what))
		return objects_stat_run(self->name, &a->client, what, a->version);
	if (!links_read(self->name, what, false, &a->link, &code))
		return code;
	code = client_run(&(struct client_work){
	    .command = self->name,
	    .options = &a->client,
	    .run = sight_work,
	    .arg = a,
	});
	survey_fini(&a->survey);
	return code;
}

static int
sight_run(const struct command *self, int argc, char **argv, bool verify)
{
	struct sight_command *a = calloc(1, sizeof(*a));
	struct operands operands;
	int code = EXIT_FAILED;

	if (a == NULL)
		return EXIT_FAILED;
	a->client = (struct client_options)CLIENT_OPTIONS_DEFAULT;
	a->verify = verify;
	if (command_parse(self, argc, argv,
		(struct option_group[]){ { client_options, &a->client },
		    { client_account_options, &a->client }, { stat_options, a } },
		verify ? 1 : 3, &operands, &code))
		code = look_at(self, a, operands.text[0]);
	link_wipe(&a->link);
	free(a);
	return code;
}

static int
stat_run(const struct command *self, int argc, char **argv)
{
	return sight_run(self, argc, argv, false);
}

static int
verify_run(const struct command *self, int argc, char **argv)
{
	return sight_run(self, argc, argv, true);
}

const struct command command_stat = {
	.name = "stat",
	.synopsis = "LINK|-|sk://BUCKET/KEY [option ...]",
	.operands_least = 1,
	.operands_most = 1,
	.brief = "tell what a link stands for and who holds it",
	.about =
	    "Shows name, size, code and parts of what the link stands for, which peer has which\n"
	    "pieces, where they are, and the verify link. Downloads nothing but the manifest. Of "
	    "an\n"
	    "address: what the bucket knows of the object.\n"
	    "\n"
	    "  skerry stat - < photo.link\n"
	    "  skerry stat sk://photos/beach.jpg",
	.options = (const struct option *const[]){ stat_options, client_options,
	    client_account_options, NULL },
	.run = stat_run,
};

const struct command command_verify = {
	.name = "verify",
	.synopsis = "LINK|- [option ...]",
	.operands_least = 1,
	.operands_most = 1,
	.brief = "count the live pieces of a file without downloading it",
	.about =
	    "Asks every holder for its piece and counts the answers. A verify link will do, which\n"
	    "reads nothing, so that the check can be left to somebody else.\n"
	    "\n"
	    "  skerry verify skerry:v1-...\n"
	    "\n"
	    "Exit code 3: some part has fewer pieces than wanted. 4: some part cannot be read.",
	.options = (const struct option *const[]){ client_options, NULL },
	.run = verify_run,
};
