/*
 * Addresses as text and bytes, and the registries of special ones. libc's
 * inet_pton/inet_ntop know the spelling; everything else is comparison of
 * prefixes. Bad text or bytes are ERR_INVALID or fail the cursor.
 */
#include "overlay/addr.h"

#include <arpa/inet.h>
#include <assert.h>
#include <endian.h>
#include <stdio.h>

#include "overlay/base/err.h"

/* ---- text ---- */

const char *
addr_format(const struct addr *a, char out[ADDR_TEXT_MAX])
{
	char ip[INET6_ADDRSTRLEN];

	static_assert(ADDR_TEXT_MAX >= INET6_ADDRSTRLEN + sizeof("[]:65535") - 1, "room");
	if (a->family == ADDR_NONE) {
		snprintf(out, ADDR_TEXT_MAX, "none");
		return out;
	}
	must(inet_ntop(a->family == ADDR_IPV4 ? AF_INET : AF_INET6, a->ip, ip, sizeof(ip)) != NULL);
	snprintf(out, ADDR_TEXT_MAX, a->family == ADDR_IPV4 ? "%s:%u" : "[%s]:%u", ip, a->port);
	return out;
}

static const uint8_t mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };

int
addr_from_host(const char *host, uint16_t port, struct addr *out)
{
	uint8_t ip[16] = { 0 };
	struct addr a = { .port = port };

	if (inet_pton(AF_INET, host, ip) == 1) {
		a.family = ADDR_IPV4;
		memcpy(a.ip, ip, 4);
	} else if (inet_pton(AF_INET6, host, ip) != 1) {
		return ERR_INVALID;
	} else if (memcmp(ip, mapped_prefix, sizeof(mapped_prefix)) == 0) {
		a.family = ADDR_IPV4;
		memcpy(a.ip, ip + 12, 4);
	} else {
		a.family = ADDR_IPV6;
		memcpy(a.ip, ip, 16);
	}
	*out = a;
	return ERR_OK;
}

/* Decimal digits only, no sign, no blank, no leading zero. */
static int
port_parse(const char *text, uint16_t *out)
{
	uint32_t port = 0;

	if (text[0] == '\0' || (text[0] == '0' && text[1] != '\0'))
		return ERR_INVALID;
	for (const char *c = text; *c != '\0'; c++) {
		if (*c < '0' || *c > '9')
			return ERR_INVALID;
		port = port * 10 + (uint32_t)(*c - '0');
		if (port > UINT16_MAX)
			return ERR_INVALID;
	}
	*out = (uint16_t)port;
	return ERR_OK;
}

/* Letters of names and addresses; what a name means is for the look-up to say. */
static bool
is_host_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_';
}

int
addr_split(const char *text, char host[ADDR_HOST_MAX], uint16_t *port)
{
	bool bracket = text[0] == '[';
	const char *from = bracket ? text + 1 : text;
	const char *to = bracket ? strchr(from, ']') : strchr(from, ':');
	struct addr v6;
	char name[ADDR_HOST_MAX];

	if (to == NULL || to == from || (size_t)(to - from) >= sizeof(name))
		return ERR_INVALID;
	memcpy(name, from, (size_t)(to - from));
	name[to - from] = '\0';
	if (bracket &&
	    (to[1] != ':' || strchr(name, ':') == NULL || addr_from_host(name, 0, &v6) != ERR_OK))
		return ERR_INVALID;
	for (const char *c = name; !bracket && *c != '\0'; c++) {
		if (!is_host_char(*c))
			return ERR_INVALID;
	}
	if (port_parse(to + (bracket ? 2 : 1), port) != ERR_OK)
		return ERR_INVALID;
	memcpy(host, name, strlen(name) + 1);
	return ERR_OK;
}

int
addr_parse(const char *text, struct addr *out)
{
	char host[ADDR_HOST_MAX];
	uint16_t port;
	int err = addr_split(text, host, &port);

	return err != ERR_OK ? err : addr_from_host(host, port, out);
}

/* ---- bytes ---- */

void
addr_pack(struct packer *p, const struct addr *a)
{
	pack_u8(p, a->family);
	pack_raw(p, a->ip, sizeof(a->ip));
	pack_u16(p, a->port);
}

static bool
all_zero(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] != 0)
			return false;
	}
	return true;
}

bool
addr_valid(const struct addr *a)
{
	switch (a->family) {
	case ADDR_NONE:
		return a->port == 0 && all_zero(a->ip, sizeof(a->ip));
	case ADDR_IPV4:
		return all_zero(a->ip + 4, sizeof(a->ip) - 4);
	case ADDR_IPV6:
		return memcmp(a->ip, mapped_prefix, sizeof(mapped_prefix)) != 0;
	default:
		return false;
	}
}

void
addr_unpack(struct unpacker *u, struct addr *out)
{
	struct addr a = { .family = unpack_u8(u) };

	unpack_raw(u, a.ip, sizeof(a.ip));
	a.port = unpack_u16(u);
	if (!addr_valid(&a))
		u->failed = true;
	*out = u->failed ? (struct addr){ 0 } : a;
}

/* ---- kinds ---- */

struct prefix {
	uint8_t ip[16];
	uint8_t bits;
	enum addr_scope scope;
};

/*
 * IANA's special-purpose registries (RFC 6890 and later), the first match counts; what is not
 * listed is global for IPv4, and for IPv6 only 2000::/3 is handed out at all.
 */
static const struct prefix special_v4[] = {
	{ { 0 }, 8, ADDR_MARTIAN },             /* "this network" */
	{ { 10 }, 8, ADDR_PRIVATE },            /* RFC 1918 */
	{ { 100, 64 }, 10, ADDR_PRIVATE },      /* carrier NAT, RFC 6598 */
	{ { 127 }, 8, ADDR_LOOPBACK },          /* */
	{ { 169, 254 }, 16, ADDR_LINK },        /* RFC 3927 */
	{ { 172, 16 }, 12, ADDR_PRIVATE },      /* RFC 1918 */
	{ { 192, 0, 0 }, 24, ADDR_MARTIAN },    /* protocol assignments */
	{ { 192, 0, 2 }, 24, ADDR_MARTIAN },    /* examples */
	{ { 192, 88, 99 }, 24, ADDR_MARTIAN },  /* 6to4 relays, RFC 7526 */
	{ { 192, 168 }, 16, ADDR_PRIVATE },     /* RFC 1918 */
	{ { 198, 18 }, 15, ADDR_MARTIAN },      /* benchmarks */
	{ { 198, 51, 100 }, 24, ADDR_MARTIAN }, /* examples */
	{ { 203, 0, 113 }, 24, ADDR_MARTIAN },  /* examples */
	{ { 224 }, 3, ADDR_MARTIAN },           /* multicast, reserved, broadcast */
};
static const struct prefix special_v6[] = {
	{ { [15] = 1 }, 128, ADDR_LOOPBACK },
	{ { 0xfe, 0x80 }, 10, ADDR_LINK },
	{ { 0xfc }, 7, ADDR_PRIVATE },                    /* RFC 4193 */
	{ { 0x20, 0x01, 0x0d, 0xb8 }, 32, ADDR_MARTIAN }, /* examples */
	{ { 0x20, 0x01 }, 23, ADDR_MARTIAN },             /* protocol assignments, Teredo */
	{ { 0x20, 0x02 }, 16, ADDR_MARTIAN },             /* 6to4: an IPv4 address in disguise */
	{ { 0x3f, 0xff }, 20, ADDR_MARTIAN },             /* examples, RFC 9637 */
	{ { 0x20 }, 3, ADDR_GLOBAL },
};

static bool
in_prefix(const uint8_t *ip, const struct prefix *p)
{
	unsigned bytes = p->bits / 8, rest = p->bits % 8;
	uint8_t mask = (uint8_t)(0xff00 >> rest);

	/* The first byte settles nearly all, without a call. */
	if (bytes > 0 && ip[0] != p->ip[0])
		return false;
	return memcmp(ip, p->ip, bytes) == 0 &&
	       (rest == 0 || (ip[bytes] & mask) == (p->ip[bytes] & mask));
}

static enum addr_scope
look_up(const uint8_t *ip, const struct prefix *table, size_t count, enum addr_scope other)
{
	for (size_t i = 0; i < count; i++) {
		if (in_prefix(ip, &table[i]))
			return table[i].scope;
	}
	return other;
}

/* Whether no prefix of special_v4 begins so, as with nearly all that travels. */
static bool
plain_v4(uint8_t first)
{
	switch (first) {
	case 0:
	case 10:
	case 100:
	case 127:
	case 169:
	case 172:
	case 192:
	case 198:
	case 203:
		return false;
	default:
		return first < 224;
	}
}

/* Apart, so that the many others do not pay for its registers. */
static __attribute__((noinline)) enum addr_scope
special_scope(const struct addr *a)
{
	if (a->family == ADDR_IPV4)
		return look_up(a->ip, special_v4, ARRAY_LEN(special_v4), ADDR_GLOBAL);
	if (a->family == ADDR_IPV6)
		return look_up(a->ip, special_v6, ARRAY_LEN(special_v6), ADDR_MARTIAN);
	return ADDR_MARTIAN;
}

enum addr_scope
addr_scope(const struct addr *a)
{
	return a->family == ADDR_IPV4 && plain_v4(a->ip[0]) ? ADDR_GLOBAL : special_scope(a);
}

bool
addr_is_loopback(const struct addr *a)
{
	return addr_scope(a) == ADDR_LOOPBACK;
}

bool
addr_is_private(const struct addr *a)
{
	return addr_scope(a) == ADDR_PRIVATE;
}

bool
addr_is_global(const struct addr *a)
{
	return addr_scope(a) == ADDR_GLOBAL;
}

bool
addr_usable(const struct addr *a, bool loopback_net)
{
	enum addr_scope scope = addr_scope(a);

	return a->port != 0 && (scope == ADDR_GLOBAL || scope == ADDR_PRIVATE ||
				   (loopback_net && scope == ADDR_LOOPBACK));
}

bool
addr_tellable(const struct addr *a, const struct addr *to)
{
	enum addr_scope about = addr_scope(a), asker;

	if (about == ADDR_GLOBAL)
		return true;
	asker = addr_scope(to);
	switch (about) {
	case ADDR_PRIVATE:
		return asker == ADDR_PRIVATE || asker == ADDR_LOOPBACK;
	case ADDR_LOOPBACK:
		return asker == ADDR_LOOPBACK;
	default:
		return false;
	}
}

uint64_t
addr_group(const struct addr *a)
{
	uint64_t top;

	memcpy(&top, a->ip, sizeof(top));
	top = be64toh(top);
	switch (a->family) {
	case ADDR_IPV4:
		/* As a /64 this would be multicast, so it is no IPv6 peer's. */
		return UINT64_C(0xffffffffff) << 24 | top >> 40;
	case ADDR_IPV6:
		/* ::/64 (loopback) must not be 0; 0:0:0:1::/64 is not handed out. */
		return MAX(top, UINT64_C(1));
	default:
		return 0;
	}
}

const char *
addr_group_format(uint64_t group, char out[ADDR_TEXT_MAX])
{
	bool four = group >> 24 == UINT64_C(0xffffffffff);
	uint64_t top = four ? group << 40 : group;
	char ip[INET6_ADDRSTRLEN];
	uint8_t bytes[16] = { 0 };

	if (group == 0) {
		snprintf(out, ADDR_TEXT_MAX, "none");
		return out;
	}
	for (size_t i = 0; i < sizeof(top); i++)
		bytes[i] = (uint8_t)(top >> (56 - 8 * i));
	must(inet_ntop(four ? AF_INET : AF_INET6, bytes, ip, sizeof(ip)) != NULL);
	snprintf(out, ADDR_TEXT_MAX, "%s/%s", ip, four ? "24" : "64");
	return out;
}
