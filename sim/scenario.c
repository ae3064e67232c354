/*
 * Keys are a table: section, name, how its text is read, where the value goes. A fault's keys are a
 * second table over struct fault. What is not in a table is an error that names what is.
 */
#include "sim/scenario.h"

#include <stdio.h>
#include <stdlib.h>

#include "overlay/base/err.h"
#include "sim/liar.h"
#include "sim/model.h"
#include "sim/place.h"
#include "sim/units.h"

enum kind {
	COUNT,
	PPM,
	DURATION,
	SIZE,
	MOMENT,
	FLAG,
	TEXT,
	CODE,
	LIFETIME,
	LIES,
	KIND,
	WHERE,
	JUMP
};

struct setting {
	const char *section, *name;
	enum kind kind;
	size_t offset, size; /* size: of TEXT */
	const char *right;
	uint32_t faults; /* a fault's key: bits of the kinds that heed it */
};

#define KEY(s, n, k, field, right)                                                                 \
	{                                                                                          \
		s, n, k, offsetof(struct scenario, field), sizeof(((struct scenario *)0)->field),  \
		    right, 0                                                                       \
	}
#define RIGHT_PPM      "a share such as 15%, 0.1% or 500ppm"
#define RIGHT_DURATION "a time such as 90s, 20m, 2h or 3d"
#define RIGHT_BYTES    "a size such as 64K, 4M or 1G"
#define RIGHT_COUNT    "a whole number"
#define RIGHT_YES      "yes or no"
#define RIGHT_LIES                                                                                 \
	"some of drop, delay, stale, contacts, eclipse, wrong, receipts, records, withhold, "      \
	"flood, equivocate, forge, late, mute, with commas"

static const struct setting keys[] = {
	KEY("scenario", "name", TEXT, name, "a short name"),
	KEY("scenario", "about", TEXT, about, "one line"),
	KEY("network", "regions", FLAG, regions, RIGHT_YES),
	KEY("network", "loss", PPM, loss_ppm, RIGHT_PPM),
	KEY("network", "duplicate", PPM, duplicate_ppm, RIGHT_PPM),
	KEY("network", "reorder", PPM, reorder_ppm, RIGHT_PPM),
	KEY("network", "nat-cone", PPM, nat_cone_ppm, RIGHT_PPM),
	KEY("network", "nat-symmetric", PPM, nat_symmetric_ppm, RIGHT_PPM),
	KEY("network", "up", SIZE, up_bytes_s, RIGHT_BYTES " a second; 0: unlimited"),
	KEY("network", "down", SIZE, down_bytes_s, RIGHT_BYTES " a second; 0: unlimited"),
	KEY("nodes", "storing", COUNT, storing, RIGHT_COUNT),
	KEY("nodes", "capacity", SIZE, capacity_bytes, RIGHT_BYTES),
	KEY("nodes", "per-net24", COUNT, per_net24, RIGHT_COUNT " of members, 1 to 254"),
	KEY("nodes", "stale", PPM, stale_ppm, RIGHT_PPM),
	KEY("nodes", "code", CODE, code, "k/r/n such as 4/6/8, or auto"),
	KEY("nodes", "book", COUNT, book, RIGHT_COUNT "; 0: by the number of nodes"),
	KEY("nodes", "clock-skew", DURATION, clock_skew_ms, RIGHT_DURATION),
	KEY("nodes", "clock-drift", PPM, clock_drift_ppm, RIGHT_PPM),
	KEY("nodes", "warmup", DURATION, warmup, RIGHT_DURATION),
	KEY("nodes", "pace", COUNT, pace, RIGHT_COUNT " from 1"),
	KEY("nodes", "repair-pace", COUNT, repair_pace, RIGHT_COUNT "; 0: as pace"),
	KEY("nodes", "repair-rate", SIZE, repair_bytes_s, RIGHT_BYTES " a second; 0: 25M"),
	KEY("nodes", "grace", DURATION, grace, RIGHT_DURATION "; repair-pace divides it"),
	KEY("nodes", "calm", COUNT, calm, RIGHT_COUNT " that multiplies times of DHT upkeep"),
	KEY("nodes", "announce", FLAG, announce, RIGHT_YES),
	KEY("nodes", "tell-place", FLAG, tell_place, RIGHT_YES),
	KEY("nodes", "audits", FLAG, audits, RIGHT_YES),
	KEY("churn", "session", LIFETIME, session, LIFETIME_RIGHT),
	KEY("churn", "absence", LIFETIME, absence, LIFETIME_RIGHT),
	KEY("churn", "lifetime", LIFETIME, life, LIFETIME_RIGHT),
	KEY("churn", "crash", PPM, crash_ppm, RIGHT_PPM),
	KEY("workload", "lookups-per-hour", COUNT, lookups_per_hour, RIGHT_COUNT),
	KEY("workload", "record-puts-per-hour", COUNT, record_puts_per_hour, RIGHT_COUNT),
	KEY("workload", "record-gets-per-hour", COUNT, record_gets_per_hour, RIGHT_COUNT),
	KEY("workload", "object-puts-per-hour", COUNT, object_puts_per_hour, RIGHT_COUNT),
	KEY("workload", "object-gets-per-hour", COUNT, object_gets_per_hour, RIGHT_COUNT),
	KEY("workload", "object-least", SIZE, object_least, RIGHT_BYTES),
	KEY("workload", "object-most", SIZE, object_most, RIGHT_BYTES),
	KEY("workload", "objects-max", COUNT, objects_max, RIGHT_COUNT),
	KEY("workload", "replace-lost", FLAG, replace_lost, RIGHT_YES),
	KEY("workload", "users", COUNT, users, RIGHT_COUNT),
	KEY("workload", "all-paths", FLAG, all_paths, RIGHT_YES),
	KEY("liars", "share", PPM, liars_ppm, RIGHT_PPM),
	KEY("liars", "lies", LIES, lies, RIGHT_LIES),
	KEY("liars", "rate", PPM, lie_rate_ppm, RIGHT_PPM),
};

#define BIT(kind) (UINT32_C(1) << FAULT_##kind)
#define EVERY     (BIT(KINDS) - 1)
/* Who is struck is a place as a whole, everybody, or ids that are made for it. */
#define CHOOSES   (EVERY & ~(BIT(OUTAGE) | BIT(LOSS) | BIT(SYBILS)))
#define FAULT_KEY(n, k, field, kinds, right)                                                       \
	{                                                                                          \
		"fault NAME", n, k, offsetof(struct fault, field),                                 \
		    sizeof(((struct fault *)0)->field), right, kinds                               \
	}

static const struct setting fault_keys[] = {
	FAULT_KEY("kind", KIND, kind, EVERY,
	    "partition, outage, clog, loss, kill, power, gone, disk-full, disk-eio, disk-slow, "
	    "disk-crash, disk-rot, cpu-slow, clock, lie or sybils"),
	FAULT_KEY("at", MOMENT, at, EVERY, RIGHT_DURATION ", or 25% of the run"),
	FAULT_KEY("for", MOMENT, span, EVERY, RIGHT_DURATION ", or 25% of the run"),
	FAULT_KEY("share", PPM, share_ppm, CHOOSES, RIGHT_PPM " of the members"),
	FAULT_KEY("count", COUNT, count, CHOOSES | BIT(SYBILS), RIGHT_COUNT " of members"),
	FAULT_KEY("rate", PPM, rate_ppm, BIT(LOSS) | BIT(DISK_EIO), RIGHT_PPM),
	FAULT_KEY("jump", JUMP, jump_ms, BIT(CLOCK), "a time such as 2h or -30m"),
	FAULT_KEY("one-way", FLAG, one_way, BIT(PARTITION), RIGHT_YES),
	FAULT_KEY("where", WHERE, where, CHOOSES | BIT(OUTAGE),
	    "country DE, as 0 (the largest provider) to as 11, net24 or region eu, us-east, "
	    "us-west, south-america, east-asia, oceania"),
	FAULT_KEY("lies", LIES, lies, BIT(LIE) | BIT(SYBILS), RIGHT_LIES),
};

static_assert(FAULT_KINDS < 32, "a bit for each kind");
static_assert(ARRAY_LEN(fault_keys) < 32, "a bit for each key, see struct fault");

static const char *const fault_names[FAULT_KINDS] = { "partition", "outage", "clog", "loss", "kill",
	"power", "gone", "disk-full", "disk-eio", "disk-slow", "disk-crash", "disk-rot", "cpu-slow",
	"clock", "lie", "sybils" };

const char *
scenario_fault_name(enum fault_kind kind)
{
	return fault_names[kind];
}

static bool
heeds(enum fault_kind kind, const struct setting *key)
{
	return (key->faults & UINT32_C(1) << kind) != 0;
}

bool
scenario_fault_heeds(enum fault_kind kind, const char *key)
{
	size_t i = 0;

	while (strcmp(fault_keys[i].name, key) != 0)
		must(++i < ARRAY_LEN(fault_keys));
	return heeds(kind, &fault_keys[i]);
}

const char *
scenario_fault_unheeded(const struct fault *f)
{
	for (size_t i = 0; i < ARRAY_LEN(fault_keys); i++) {
		if ((f->said & UINT32_C(1) << i) != 0 && !heeds(f->kind, &fault_keys[i]))
			return fault_keys[i].name;
	}
	return NULL;
}

size_t
scenario_keys(void)
{
	return ARRAY_LEN(keys) + ARRAY_LEN(fault_keys);
}

void
scenario_key(size_t i, const char **section, const char **key, const char **right)
{
	const struct setting *k = i < ARRAY_LEN(keys) ? &keys[i] : &fault_keys[i - ARRAY_LEN(keys)];

	*section = k->section;
	*key = k->name;
	*right = k->right;
}

void
scenario_init(struct scenario *s)
{
	memset(s, 0, sizeof(*s));
	strcpy(s->name, "unnamed");
	s->regions = true;
	s->loss_ppm = 10000;
	s->storing = 64;
	s->capacity_bytes = GIB(1);
	s->per_net24 = 1;
	s->stale_ppm = 150000;
	s->pace = 1;
	s->announce = s->audits = s->tell_place = true;
	s->warmup = MINUTES(5);
	s->crash_ppm = 500000;
	s->object_least = KIB(16);
	s->object_most = MIB(1);
	s->objects_max = 500;
	s->users = 2;
	s->lie_rate_ppm = 1000000;
}

/* ---- values ---- */

static bool
set_count(void *field, const char *text)
{
	char *end;
	unsigned long long v;

	if (text[0] < '0' || text[0] > '9')
		return false;
	v = strtoull(text, &end, 10);
	if (*end != '\0' || v > UINT64_C(1) << 40)
		return false;
	*(uint64_t *)field = v;
	return true;
}

static bool
set_flag(void *field, const char *text)
{
	if (strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
		return false;
	*(bool *)field = text[0] == 'y';
	return true;
}

static bool
set_text(void *field, size_t size, const char *text)
{
	if (strlen(text) >= size)
		return false;
	strcpy(field, text);
	return true;
}

static bool
set_code(struct code_params *code, const char *text)
{
	if (strcmp(text, "auto") != 0)
		return code_parse(text, code) == ERR_OK;
	*code = (struct code_params){ 0 };
	return true;
}

/* The field is followed by its share in a field of its own; see struct fault. */
static bool
set_moment(struct fault *f, bool span, const char *text)
{
	uint32_t ppm;
	uint64_t ns;

	if (strchr(text, '%') != NULL) {
		if (!units_percent(text, &ppm) || ppm > 1000000)
			return false;
		*(span ? &f->span_ppm : &f->at_ppm) = ppm;
		return true;
	}
	if (!units_duration(text, &ns))
		return false;
	*(span ? &f->span_ppm : &f->at_ppm) = UINT32_MAX;
	*(span ? &f->span : &f->at) = ns;
	return true;
}

static bool
set_jump(int64_t *field, const char *text)
{
	uint64_t ns;

	if (!units_duration(text + (text[0] == '-'), &ns))
		return false;
	*field = (int64_t)(ns / MILLISECONDS(1)) * (text[0] == '-' ? -1 : 1);
	return true;
}

static bool
set_kind(enum fault_kind *field, const char *text)
{
	for (size_t i = 0; i < FAULT_KINDS; i++) {
		if (strcmp(text, fault_names[i]) == 0) {
			*field = (enum fault_kind)i;
			return true;
		}
	}
	return false;
}

static bool
is_country(const char *text, char error[SCENARIO_ERROR_MAX])
{
	size_t used;

	for (size_t i = 0; sim_country(i) != NULL; i++) {
		if (strcmp(text, sim_country(i)) == 0)
			return true;
	}
	used = (size_t)snprintf(
	    error, SCENARIO_ERROR_MAX, "nobody is in country \"%.40s\"; right would be", text);
	for (size_t i = 0; sim_country(i) != NULL && used < SCENARIO_ERROR_MAX; i++)
		used += (size_t)snprintf(
		    error + used, SCENARIO_ERROR_MAX - used, " %s", sim_country(i));
	return false;
}

static bool
is_rank(const char *text)
{
	uint64_t rank;

	return set_count(&rank, text) && rank < SIM_AS_PER_COUNTRY;
}

static bool
set_where(char *field, size_t size, const char *text, char error[SCENARIO_ERROR_MAX])
{
	unsigned region = 0;

	if (strncmp(text, "region ", 7) == 0) {
		while (region < SIM_REGIONS && strcmp(text + 7, sim_region_name(region)) != 0)
			region++;
		return region < SIM_REGIONS && set_text(field, size, text);
	}
	if (strncmp(text, "country ", 8) == 0)
		return is_country(text + 8, error) && set_text(field, size, text);
	if (strncmp(text, "as ", 3) == 0)
		return is_rank(text + 3) && set_text(field, size, text);
	return strcmp(text, "net24") == 0 && set_text(field, size, text);
}

static bool
set_lifetime(struct lifetime *field, const char *text, char error[SCENARIO_ERROR_MAX])
{
	if (strcmp(text, "none") == 0) {
		memset(field, 0, sizeof(*field));
		return true;
	}
	return lifetime_parse(text, field, error) == ERR_OK;
}

static bool
set_value(const struct setting *k, void *base, const char *text, char error[SCENARIO_ERROR_MAX])
{
	void *field = (char *)base + k->offset;
	uint64_t ns;

	switch (k->kind) {
	case COUNT:
		return set_count(field, text);
	case PPM:
		return units_percent(text, field);
	case DURATION:
		if (!units_duration(text, &ns))
			return false;
		*(uint64_t *)field = k->offset == offsetof(struct scenario, clock_skew_ms)
					 ? ns / MILLISECONDS(1)
					 : ns;
		return true;
	case SIZE:
		return units_size(text, field);
	case MOMENT:
		return set_moment(base, strcmp(k->name, "for") == 0, text);
	case FLAG:
		return set_flag(field, text);
	case TEXT:
		return set_text(field, k->size, text);
	case CODE:
		return set_code(field, text);
	case LIFETIME:
		return set_lifetime(field, text, error);
	case LIES:
		return liar_kinds_parse(text, field);
	case KIND:
		return set_kind(field, text);
	case WHERE:
		return set_where(field, k->size, text, error);
	case JUMP:
		return set_jump(field, text);
	}
	return false;
}

/* ---- a line ---- */

static struct fault *
fault_named(struct scenario *s, const char *name)
{
	struct fault *f;

	for (size_t i = 0; i < s->faults_count; i++) {
		if (strcmp(s->faults[i].name, name) == 0)
			return &s->faults[i];
	}
	if (s->faults_count == SCENARIO_FAULTS_MAX || strlen(name) >= sizeof(f->name) ||
	    name[0] == '\0')
		return NULL;
	f = &s->faults[s->faults_count++];
	strcpy(f->name, name);
	f->kind = FAULT_KINDS; /* must be said */
	f->at_ppm = UINT32_MAX;
	f->span_ppm = UINT32_MAX;
	f->share_ppm = 100000;
	return f;
}

static int
unknown_key(const struct setting *table, size_t count, const char *section, const char *key,
    char error[SCENARIO_ERROR_MAX])
{
	size_t used = (size_t)snprintf(
	    error, SCENARIO_ERROR_MAX, "[%.40s] has no \"%.40s\"; right would be", section, key);

	for (size_t i = 0; i < count; i++) {
		if ((table == fault_keys || strcmp(table[i].section, section) == 0) &&
		    used < SCENARIO_ERROR_MAX)
			used += (size_t)snprintf(
			    error + used, SCENARIO_ERROR_MAX - used, " %s", table[i].name);
	}
	return ERR_INVALID;
}

static bool
section_known(const char *section)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (strcmp(keys[i].section, section) == 0)
			return true;
	}
	return false;
}

int
scenario_set(struct scenario *s, const char *section, const char *key, const char *value,
    char error[SCENARIO_ERROR_MAX])
{
	bool is_fault = strncmp(section, "fault ", 6) == 0;
	const struct setting *table = is_fault ? fault_keys : keys, *k = NULL;
	size_t count = is_fault ? ARRAY_LEN(fault_keys) : ARRAY_LEN(keys);
	void *base = s;

	if (!is_fault && !section_known(section)) {
		(void)snprintf(error, SCENARIO_ERROR_MAX,
		    "there is no section [%.40s]; right would be scenario, network, nodes, churn, "
		    "workload, liars or \"fault NAME\"",
		    section);
		return ERR_INVALID;
	}
	for (size_t i = 0; i < count && k == NULL; i++) {
		if ((is_fault || strcmp(table[i].section, section) == 0) &&
		    strcmp(table[i].name, key) == 0)
			k = &table[i];
	}
	if (k == NULL)
		return unknown_key(table, count, section, key, error);
	if (is_fault)
		base = fault_named(s, section + 6);
	if (!is_fault && strcmp(section, "churn") == 0)
		s->churn = true;
	if (base == NULL) {
		(void)snprintf(error, SCENARIO_ERROR_MAX,
		    "[%.40s]: a fault has a name of 1 to 31 characters, and there are at most %d",
		    section, SCENARIO_FAULTS_MAX);
		return ERR_INVALID;
	}
	error[0] = '\0';
	if (set_value(k, base, value, error)) {
		if (is_fault)
			((struct fault *)base)->said |= UINT32_C(1) << (k - table);
		return ERR_OK;
	}
	if (error[0] == '\0')
		(void)snprintf(error, SCENARIO_ERROR_MAX, "%s = \"%.40s\"; right would be %s", key,
		    value, k->right);
	return ERR_INVALID;
}

int
scenario_set_text(struct scenario *s, const char *text, char error[SCENARIO_ERROR_MAX])
{
	char section[64], key[64], value[SCENARIO_TEXT_MAX];
	const char *equals = strchr(text, '='), *dot;

	if (equals == NULL)
		goto wrong;
	for (dot = equals; dot > text && *dot != '.'; dot--)
		;
	if (dot == text || (size_t)(dot - text) >= sizeof(section) ||
	    (size_t)(equals - dot) > sizeof(key) || strlen(equals + 1) >= sizeof(value))
		goto wrong;
	(void)snprintf(section, sizeof(section), "%.*s", (int)(dot - text), text);
	(void)snprintf(key, sizeof(key), "%.*s", (int)(equals - dot - 1), dot + 1);
	(void)snprintf(value, sizeof(value), "%s", equals + 1);
	return scenario_set(s, section, key, value, error);
wrong:
	(void)snprintf(error, SCENARIO_ERROR_MAX,
	    "\"%.40s\"; right would be SECTION.KEY=VALUE such as network.loss=2%%", text);
	return ERR_INVALID;
}

/* ---- times ---- */

uint64_t
scenario_repair_pace(const struct scenario *s)
{
	return MAX(s->repair_pace == 0 ? s->pace : s->repair_pace, UINT64_C(1));
}

void
scenario_fault_span(const struct fault *f, uint64_t run, uint64_t *from, uint64_t *to)
{
	uint64_t at = f->at, span = f->span;

	if (f->at_ppm != UINT32_MAX)
		at = (uint64_t)((unsigned __int128)run * f->at_ppm / 1000000);
	if (f->span_ppm != UINT32_MAX)
		span = (uint64_t)((unsigned __int128)run * f->span_ppm / 1000000);
	*from = MIN(at, run);
	*to = MIN(*from + MIN(span, run), run);
}
