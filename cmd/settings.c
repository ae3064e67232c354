/*
 * One table says it all: names, help, what would be right, how to read and how to write. The file
 * is read by config_ini.c, and every line is checked by the option's own setter.
 */
#include "cmd/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/config_ini.h"
#include "cmd/dirs.h"
#include "overlay/base/buf.h"
#include "overlay/base/disk.h"
#include "storage/keeper.h"
#include "storage/store.h"

/* 32 contacts and the comments are some 8 KiB. */
#define FILE_BYTES_MAX     KIB(256)
#define SETTINGS_COUNT_MAX 32

#define RIGHT_METRICS "an IP address of this machine and a port such as 127.0.0.1:9730, or off"
#define FIELD(member) .offset = offsetof(struct settings, member)

const struct option settings_options[] = {
	{ "network", 0, "NAME", "The network's name: peers of another one are not spoken to.",
	    "lower-case letters, digits, '-' and '.', at most 63", set_network, get_string,
	    FIELD(network) },
	{ "bootstrap", 0, "CONTACT",
	    "A peer to ask first, PUBKEY@host:port; several are better than one.", RIGHT_CONTACT,
	    set_contacts, get_contacts, FIELD(bootstraps), .list = true },
	{ "code", 0, "K/R/N", "How files are coded; without it the size of the network decides.",
	    RIGHT_CODE, set_code, get_code, FIELD(code) },
	{ "listen", 0, "ADDR", "Address and port of a node, UDP and TCP; port 0: any that is free.",
	    "an IP address and port such as 0.0.0.0:7730 or [::]:7730", set_addr, get_addr,
	    FIELD(listen) },
	{ "metrics", 0, "ADDR",
	    "Address and port where a Prometheus reads /metrics over HTTP; \"off\": nowhere.",
	    RIGHT_METRICS, set_addr_or_off, get_addr, FIELD(metrics) },
	{ "metrics-public", 0, NULL,
	    "The metrics may be on an address that others reach; whoever does can read them.",
	    RIGHT_SWITCH, set_switch, get_switch, FIELD(metrics_public) },
	{ "capacity", 0, "SIZE",
	    "Disk space that a node gives; 0 makes it a bootstrap node that stores nothing.",
	    RIGHT_CAPACITY, set_capacity, get_size, FIELD(capacity) },
	{ "reserve", 0, "SIZE", "Disk space that a node leaves free whatever its capacity is.",
	    RIGHT_SIZE, set_size, get_size, FIELD(reserve) },
	{ "repair-rate", 0, "SIZE",
	    "Bytes a second that repair may read and send; 0: as many as it can.", RIGHT_RATE,
	    set_rate, get_size, FIELD(repair_rate) },
	{ "upload-rate", 0, "SIZE",
	    "Bytes a second of pieces that a node sends, repair included; 0: as many as it can.",
	    RIGHT_RATE, set_rate, get_size, FIELD(upload_rate) },
	{ "download-rate", 0, "SIZE",
	    "Bytes a second of pieces that a node takes, repair included; 0: as many as it can.",
	    RIGHT_RATE, set_rate, get_size, FIELD(download_rate) },
	{ "accept", 0, "WHO",
	    "Whose files a node keeps: those of the owners below, of anyone (within a fifth of its "
	    "capacity), of none; usual: of owners, and all on a test network.",
	    RIGHT_ACCEPT, set_accept, get_accept, FIELD(accept) },
	{ "owner", 0, "KEY[:SIZE]",
	    "An owner whose files are accepted, by the key that skerry-owner(1) prints, and how "
	    "much.",
	    RIGHT_OWNER, set_owners, get_owners, FIELD(owners), .list = true },
	{ "lock-max", 0, "TIME",
	    "The longest time for which a node lets an owner forbid the deletion of a file.",
	    RIGHT_DURATION, set_duration, get_duration, FIELD(lock_max) },
	{ "country", 0, "CC", "The country a node stands in, as it tells others.", RIGHT_COUNTRY,
	    set_country, get_country, FIELD(country) },
	{ "region", 0, "NAME", "The region a node stands in, as it tells others.",
	    "at most 16 visible characters such as eu-central", set_region, get_string,
	    FIELD(region) },
	{ "operator", 0, "FILE",
	    "Who runs the node: an operator's key or countersignature, see skerry-operator(1).",
	    RIGHT_FILE, set_path, get_string, FIELD(operator_file) },
	{ "assume-reachable", 0, NULL, "Others can reach the node; do not wait until some have.",
	    RIGHT_SWITCH, set_switch, get_switch, FIELD(assume_reachable) },
	{ "port-mapping", 0, NULL, "Ask the router to let others in (UPnP, NAT-PMP).", RIGHT_SWITCH,
	    set_switch, get_switch, FIELD(port_mapping) },
	{ "user", 0, "NAME", "The user that a node started by root becomes.", "a user's name",
	    set_user, get_string, FIELD(user) },
	{ "log-level", 0, "LEVEL", "How much a node says on stderr: error, warn, info, debug.",
	    RIGHT_LEVEL, set_level, get_level, FIELD(log_level) },
	{ "pow-bits", 0, "BITS", "Proof of work of nodes' keys; the same in a whole network.",
	    "a number from 0 to 32", set_pow_bits, get_byte, FIELD(pow_bits) },
	{ "test-network", 0, NULL,
	    "All peers are on this machine: loopback addresses count, upkeep is quick.",
	    RIGHT_SWITCH, set_switch, get_switch, FIELD(test_network) },
	{ "real-pace", 0, NULL, "On a test network: upkeep is no quicker than elsewhere.",
	    RIGHT_SWITCH, set_switch, get_switch, FIELD(real_pace) },
	{ NULL },
};
static_assert(ARRAY_LEN(settings_options) <= SETTINGS_COUNT_MAX, "each has a seen mark");

void
settings_default(struct settings *s)
{
	*s = (struct settings){
		.network = SETTINGS_NETWORK,
		.pow_bits = SETTINGS_POW_BITS,
		.listen = { .family = ADDR_IPV4, .port = SETTINGS_PORT },
		.capacity = SETTINGS_CAPACITY,
		.reserve = STORE_RESERVE_BYTES,
		.repair_rate = REPAIR_BYTES_S,
		.lock_max = SETTINGS_LOCK_MAX,
		.port_mapping = true,
		.log_level = LOG_INFO,
	};
}

/* ---- reading ---- */

struct load {
	struct settings *s;
	const char *path;
	char *error;
	bool seen[SETTINGS_COUNT_MAX];
};

static bool
bad(struct load *l, unsigned line, const char *what, const char *right)
{
	(void)snprintf(l->error, SETTINGS_ERROR_MAX, "%s:%u: %s; right would be %s", l->path, line,
	    what, right);
	return false;
}

static bool
on_item(void *arg, const struct ini_item *item)
{
	const struct option *o = options_find(settings_options, item->key);
	struct load *l = arg;
	char what[256];
	size_t slot;

	if (o == NULL) {
		(void)snprintf(what, sizeof(what), "unknown key \"%.60s\"", item->key);
		return bad(l, item->line, what, "a key that skerry-node(1) lists");
	}
	slot = (size_t)(o - settings_options);
	if (l->seen[slot] && !o->list) {
		(void)snprintf(what, sizeof(what), "\"%s\" is there a second time", o->name);
		return bad(l, item->line, what, "one line for it");
	}
	if (!options_set(o, l->s, item->value, !l->seen[slot])) {
		(void)snprintf(
		    what, sizeof(what), "%s = \"%.100s\" is not possible", o->name, item->value);
		return bad(l, item->line, what, o->right);
	}
	l->seen[slot] = true;
	return true;
}

/* A relative path in the file is seen from the file's directory. */
static int
from_directory(const char *dir, char path[PATH_BYTES_MAX])
{
	char whole[PATH_BYTES_MAX];
	int err;

	if (path[0] == '\0' || path[0] == '/')
		return ERR_OK;
	err = dirs_path(dir, path, whole);
	if (err == ERR_OK)
		memcpy(path, whole, sizeof(whole));
	return err;
}

int
settings_load(const char *dir, struct settings *s, char error[SETTINGS_ERROR_MAX])
{
	char path[PATH_BYTES_MAX], why[INI_ERROR_MAX] = "";
	struct load l = { .path = path, .error = error };
	unsigned line = 0;
	FILE *f;
	int err;

	err = dirs_path(dir, SETTINGS_FILE, path);
	if (err != ERR_OK) {
		(void)snprintf(error, SETTINGS_ERROR_MAX, "the directory's name is too long");
		return err;
	}
	f = fopen(path, "re");
	if (f == NULL) {
		err = err_from_errno(errno);
		(void)snprintf(
		    error, SETTINGS_ERROR_MAX, "cannot read %s: %s", path, strerror(errno));
		return err;
	}
	l.s = malloc(sizeof(*l.s));
	if (l.s == NULL) {
		(void)fclose(f);
		(void)snprintf(error, SETTINGS_ERROR_MAX, "out of memory");
		return ERR_NOMEM;
	}
	*l.s = *s;
	err = ini_read(f, false, on_item, &l, &line, why);
	if (err == ERR_IO) {
		(void)snprintf(error, SETTINGS_ERROR_MAX, "cannot read %s", path);
	} else if (err == ERR_CANCELED) {
		err = ERR_INVALID; /* on_item has said why */
	} else if (err != ERR_OK) {
		(void)snprintf(error, SETTINGS_ERROR_MAX, "%s:%u: %s", path, line,
		    why[0] != '\0' ? why : err_text(err));
	}
	if (err == ERR_OK)
		err = from_directory(dir, l.s->operator_file);
	if (err == ERR_OK)
		*s = *l.s;
	free(l.s);
	(void)fclose(f);
	return err;
}

/* ---- writing ---- */

static int
write_option(
    struct buf *b, const struct option *o, const struct settings *s, const struct settings *usual)
{
	const void *field = (const char *)s + o->offset;
	const void *usual_field = (const char *)usual + o->offset;
	char text[VALUE_TEXT_MAX], other[VALUE_TEXT_MAX];
	int err = buf_appendf(b, "\n; %s\n; Right: %s.\n", o->help, o->right);
	size_t i = 0;

	for (; err == ERR_OK && o->get(field, i, text, sizeof(text)); i++) {
		bool same = o->get(usual_field, i, other, sizeof(other)) &&
			    strcmp(text, other) == 0 && !o->list;

		if (strlen(o->name) + strlen(text) + 4 > INI_LINE_MAX)
			return ERR_TOO_BIG; /* it could not be read again */
		err = buf_appendf(b, "%s%s = %s\n", same ? ";" : "", o->name, text);
	}
	if (err == ERR_OK && i == 0)
		err = buf_appendf(b, ";%s =\n", o->name);
	return err;
}

int
settings_save(const char *dir, const struct settings *s)
{
	struct settings *usual = malloc(sizeof(*usual));
	char path[PATH_BYTES_MAX];
	struct buf b;
	int err;

	if (usual == NULL)
		return ERR_NOMEM;
	settings_default(usual);
	buf_init(&b, FILE_BYTES_MAX);
	err = dirs_path(dir, SETTINGS_FILE, path);
	if (err == ERR_OK)
		err = buf_appendf(&b,
		    "; Settings of skerry: one key and value a line; a line with ';' is a "
		    "comment.\n"
		    "; Options on the command line override them. See skerry-node(1).\n");
	for (const struct option *o = settings_options; err == ERR_OK && o->name != NULL; o++)
		err = write_option(&b, o, s, usual);
	if (err == ERR_OK)
		err = disk_write_file(disk_real(), path, buf_bytes(&b));
	buf_fini(&b);
	free(usual);
	return err;
}
