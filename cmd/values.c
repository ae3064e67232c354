/*
 * Text to values and back. Everything is refused that is not wholly understood: no trailing
 * letters, no overflow, no leading signs.
 */
#include "cmd/values.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/say.h"
#include "object/manifest.h"
#include "overlay/base/log.h"
#include "overlay/contact.h"
#include "overlay/identity.h"
#include "overlay/peer_record.h"
#include "storage/lease.h"

static_assert(VALUES_COUNTRIES == LEASE_COUNTRIES_MAX, "what is named must fit a lease");

/* Digits at the start; *end is what follows. */
static bool
digits(const char *text, uint64_t *out, const char **end)
{
	uint64_t v = 0;

	if (*text < '0' || *text > '9')
		return false;
	for (; *text >= '0' && *text <= '9'; text++) {
		if (__builtin_mul_overflow(v, (uint64_t)10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*text - '0'), &v))
			return false;
	}
	*out = v;
	*end = text;
	return true;
}

bool
value_size(const char *text, uint64_t *out)
{
	static const char units[] = "KMGTPE";
	const char *end, *unit;
	uint64_t v;
	int shift;

	if (!digits(text, &v, &end))
		return false;
	if (*end == '\0') {
		*out = v;
		return true;
	}
	unit = strchr(units, *end >= 'a' && *end <= 'z' ? *end - 'a' + 'A' : *end);
	if (unit == NULL || (end[1] != '\0' && strcmp(end + 1, "iB") != 0))
		return false;
	shift = 10 * (int)(unit - units + 1);
	if (v > UINT64_MAX >> shift)
		return false;
	*out = v << shift;
	return true;
}

bool
value_count(const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
	const char *end;
	uint64_t v;

	if (!digits(text, &v, &end) || *end != '\0' || v < least || v > most)
		return false;
	*out = v;
	return true;
}

bool
value_range(const char *text, uint64_t *from, uint64_t *to)
{
	uint64_t a, b = UINT64_MAX;
	const char *end;

	if (!digits(text, &a, &end) || *end != '-')
		return false;
	if (end[1] != '\0' && (!digits(end + 1, &b, &end) || *end != '\0'))
		return false;
	if (b < a)
		return false;
	*from = a;
	*to = b;
	return true;
}

#define HOST_NAME_MAX_LEN 253 /* RFC 1035, without the dot at the end */
#define HOST_LABEL_MAX    63

bool
value_label(const char *text, size_t len)
{
	for (const char *c = text; c < text + len; c++) {
		if (!(*c >= 'a' && *c <= 'z') && !(*c >= 'A' && *c <= 'Z') &&
		    !(*c >= '0' && *c <= '9') && *c != '-')
			return false;
	}
	return true;
}

bool
value_host_name(const char *text)
{
	const char *label = text;
	size_t len;

	if (strlen(text) > HOST_NAME_MAX_LEN)
		return false;
	for (;; label += len + 1) {
		len = strcspn(label, ".");
		if (len == 0 || len > HOST_LABEL_MAX || label[0] == '-' || label[len - 1] == '-' ||
		    !value_label(label, len))
			return false;
		if (label[len] == '\0') /* an address ends with digits, a name does not */
			return strspn(label, "0123456789") < len;
	}
}

bool
value_country(const char *text, char out[2])
{
	char c[2];

	if (strlen(text) != 2)
		return false;
	for (size_t i = 0; i < 2; i++) {
		c[i] = text[i] >= 'a' && text[i] <= 'z' ? (char)(text[i] - 'a' + 'A') : text[i];
		if (c[i] < 'A' || c[i] > 'Z')
			return false;
	}
	memcpy(out, c, 2);
	return true;
}

/* ---- setters ---- */

/* Copies text that fits; false when it is empty or too long. */
static bool
copy(char *out, size_t cap, const char *text)
{
	size_t len = strlen(text);

	if (len == 0 || len >= cap)
		return false;
	memcpy(out, text, len + 1);
	return true;
}

bool
set_switch(void *field, const char *text)
{
	bool yes = strcmp(text, "yes") == 0;

	if (!yes && strcmp(text, "no") != 0)
		return false;
	*(bool *)field = yes;
	return true;
}

bool
set_text(void *field, const char *text)
{
	if (text[0] == '\0')
		return false;
	*(const char **)field = text;
	return true;
}

bool
set_size(void *field, const char *text)
{
	return value_size(text, field);
}

bool
set_file_name(void *field, const char *text)
{
	char clean[4 * FILE_NAME_MAX + 1];

	if (strlen(text) > FILE_NAME_MAX || !manifest_name_valid(text) ||
	    strcmp(say_clean(text, clean, sizeof(clean)), text) != 0)
		return false;
	return set_text(field, text);
}

bool
set_media_type(void *field, const char *text)
{
	const char *slash = strchr(text, '/');

	for (const char *c = text; *c != '\0'; c++) {
		if (*c < ' ' || *c > '~')
			return false;
	}
	if (slash == NULL || slash == text || slash[1] == '\0' || strlen(text) > MEDIA_TYPE_MAX ||
	    strchr(text, ' ') == text)
		return false;
	return set_text(field, text);
}

/* 0, or no less than that. */
static bool
set_size_from(void *field, const char *text, uint64_t least)
{
	uint64_t v;

	if (!value_size(text, &v) || (v != 0 && v < least))
		return false;
	*(uint64_t *)field = v;
	return true;
}

bool
set_capacity(void *field, const char *text)
{
	return set_size_from(field, text, CAPACITY_MIN);
}

bool
set_rate(void *field, const char *text)
{
	return set_size_from(field, text, RATE_MIN);
}

bool
set_days(void *field, const char *text)
{
	const char *end;
	uint64_t v;

	if (!digits(text, &v, &end) || (*end != '\0' && strcmp(end, "d") != 0) || v < 1 ||
	    v > LEASE_AHEAD_MAX_S / (24 * 3600))
		return false;
	*(uint64_t *)field = v;
	return true;
}

static const struct {
	char unit;
	uint64_t seconds;
} duration_units[] = { { 'd', 86400 }, { 'h', 3600 }, { 'm', 60 }, { 's', 1 } };

bool
set_duration(void *field, const char *text)
{
	const char *end;
	uint64_t v, seconds = strcmp(text, "0") == 0;

	if (!digits(text, &v, &end))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(duration_units); i++) {
		if (end[0] == duration_units[i].unit && end[1] == '\0')
			seconds = duration_units[i].seconds;
	}
	if (seconds == 0 || v > LEASE_AHEAD_MAX_S / seconds)
		return false;
	*(uint64_t *)field = v * seconds;
	return true;
}

bool
set_short_day(void *field, const char *text)
{
	uint64_t v;

	if (!set_duration(&v, text) || v == 0 || v > duration_units[0].seconds)
		return false;
	*(uint64_t *)field = v;
	return true;
}

bool
get_duration(const void *field, size_t i, char *out, size_t cap)
{
	uint64_t v = *(const uint64_t *)field;
	size_t unit = 0;
	int n;

	while (v % duration_units[unit].seconds != 0)
		unit++;
	n = i != 0 ? -1
		   : snprintf(out, cap, "%" PRIu64 "%c", v / duration_units[unit].seconds,
			 duration_units[unit].unit);
	return n > 0 && (size_t)n < cap;
}

static bool
set_small(void *field, const char *text, uint64_t least, uint64_t most)
{
	uint64_t v;

	if (!value_count(text, least, most, &v))
		return false;
	*(uint8_t *)field = (uint8_t)v;
	return true;
}

bool
set_byte(void *field, const char *text)
{
	return set_small(field, text, 1, UINT8_MAX);
}

bool
set_pow_bits(void *field, const char *text)
{
	return set_small(field, text, 0, IDENTITY_POW_BITS_MAX);
}

bool
set_code(void *field, const char *text)
{
	return code_parse(text, field) == ERR_OK;
}

bool
set_country(void *field, const char *text)
{
	return value_country(text, field);
}

bool
set_region(void *field, const char *text)
{
	for (const char *c = text; *c != '\0'; c++) {
		if (*c <= ' ' || *c > '~')
			return false;
	}
	return copy(field, PEER_REGION_MAX + 1, text);
}

bool
set_network(void *field, const char *text)
{
	for (const char *c = text; *c != '\0'; c++) {
		bool ok =
		    (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '-' || *c == '.';

		if (!ok)
			return false;
	}
	return copy(field, NETWORK_NAME_MAX, text);
}

bool
set_path(void *field, const char *text)
{
	return copy(field, PATH_BYTES_MAX, text);
}

bool
set_user(void *field, const char *text)
{
	return copy(field, USER_NAME_MAX + 1, text);
}

bool
set_level(void *field, const char *text)
{
	return log_level_parse(text, field) == ERR_OK;
}

bool
set_addr(void *field, const char *text)
{
	return addr_parse(text, field) == ERR_OK;
}

bool
set_addr_or_off(void *field, const char *text)
{
	if (strcmp(text, "off") != 0)
		return set_addr(field, text);
	*(struct addr *)field = (struct addr){ .family = ADDR_NONE };
	return true;
}

bool
set_contacts(void *field, const char *text)
{
	struct contact_names *list = field;
	struct pubkey pub;
	char host[ADDR_HOST_MAX];
	uint16_t port;

	if (text == NULL) {
		list->count = 0;
		return true;
	}
	if (list->count == VALUES_CONTACTS || contact_split(text, &pub, host, &port) != ERR_OK ||
	    port == 0)
		return false;
	if (!copy(list->text[list->count], CONTACT_NAME_MAX, text))
		return false;
	list->count++;
	return true;
}

static const char *const accept_words[] = { "usual", "anyone", "owners", "none" };

bool
set_accept(void *field, const char *text)
{
	for (size_t i = 0; i < ARRAY_LEN(accept_words); i++) {
		if (strcmp(text, accept_words[i]) == 0) {
			*(enum accept_word *)field = (enum accept_word)i;
			return true;
		}
	}
	return false;
}

bool
set_owners(void *field, const char *text)
{
	struct owner_list *list = field;
	struct owner_quota one = { 0 };
	size_t digits_len;

	if (text == NULL) {
		list->count = 0;
		return true;
	}
	digits_len = strcspn(text, ":");
	if (list->count == OWNERS_MAX ||
	    hex_decode(one.owner.b, sizeof(one.owner.b), text, digits_len) != ERR_OK)
		return false;
	if (text[digits_len] == ':' &&
	    (!value_size(text + digits_len + 1, &one.bytes) || one.bytes == 0))
		return false;
	for (size_t i = 0; i < list->count; i++) {
		if (pubkey_equal(&list->at[i].owner, &one.owner))
			return false;
	}
	list->at[list->count++] = one;
	return true;
}

bool
set_countries(void *field, const char *text)
{
	struct country_list *list = field;
	struct country_list next;

	if (text == NULL) {
		list->count = 0;
		return true;
	}
	next = *list;
	for (const char *c = text;; c += 3) {
		char one[3] = { c[0], c[0] == '\0' ? '\0' : c[1], '\0' };

		if (next.count == VALUES_COUNTRIES || !value_country(one, next.code[next.count]))
			return false;
		next.count++;
		if (c[2] == '\0')
			break;
		if (c[2] != ',')
			return false;
	}
	*list = next;
	return true;
}

/* ---- back to text ---- */

static bool
print(char *out, size_t cap, const char *text)
{
	int n = snprintf(out, cap, "%s", text);

	return n > 0 && (size_t)n < cap;
}

bool
get_switch(const void *field, size_t i, char *out, size_t cap)
{
	return i == 0 && print(out, cap, *(const bool *)field ? "yes" : "no");
}

bool
get_size(const void *field, size_t i, char *out, size_t cap)
{
	static const char units[] = "\0KMGTPE";
	uint64_t v = *(const uint64_t *)field;
	size_t unit = 0;
	int n;

	while (v != 0 && v % 1024 == 0 && unit < 6) {
		v /= 1024;
		unit++;
	}
	n = i != 0 ? -1 : snprintf(out, cap, "%" PRIu64 "%.1s", v, units + unit);
	return n > 0 && (size_t)n < cap;
}

bool
get_byte(const void *field, size_t i, char *out, size_t cap)
{
	int n = i != 0 ? -1 : snprintf(out, cap, "%u", *(const uint8_t *)field);

	return n > 0 && (size_t)n < cap;
}

bool
get_code(const void *field, size_t i, char *out, size_t cap)
{
	const struct code_params *c = field;
	char text[12];

	return i == 0 && c->k != 0 && print(out, cap, code_print(c, text));
}

bool
get_country(const void *field, size_t i, char *out, size_t cap)
{
	const char *c = field;
	char text[3] = { c[0], c[1], '\0' };

	return i == 0 && print(out, cap, text);
}

bool
get_string(const void *field, size_t i, char *out, size_t cap)
{
	return i == 0 && print(out, cap, field);
}

bool
get_level(const void *field, size_t i, char *out, size_t cap)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };

	return i == 0 && print(out, cap, names[*(const enum log_level *)field]);
}

bool
get_addr(const void *field, size_t i, char *out, size_t cap)
{
	const struct addr *a = field;
	char text[ADDR_TEXT_MAX];

	return i == 0 && a->family != ADDR_NONE && print(out, cap, addr_format(a, text));
}

bool
get_contacts(const void *field, size_t i, char *out, size_t cap)
{
	const struct contact_names *list = field;

	return i < list->count && print(out, cap, list->text[i]);
}

bool
get_accept(const void *field, size_t i, char *out, size_t cap)
{
	return i == 0 && print(out, cap, accept_words[*(const enum accept_word *)field]);
}

bool
get_owners(const void *field, size_t i, char *out, size_t cap)
{
	const struct owner_list *list = field;
	size_t at = 2 * sizeof(struct pubkey);

	if (i >= list->count || cap <= at + 1)
		return false;
	hex_encode(out, list->at[i].owner.b, sizeof(list->at[i].owner.b));
	if (list->at[i].bytes == 0)
		return true;
	out[at] = ':';
	return get_size(&list->at[i].bytes, 0, out + at + 1, cap - at - 1);
}
