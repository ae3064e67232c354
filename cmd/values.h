/*
 * Checked values from text, for options and the configuration file, and back to text. The set_*
 * functions fit struct option: false means that the text is not possible, the field is untouched.
 * Pure.
 */
#ifndef CMD_VALUES_H
#define CMD_VALUES_H

#include "storage/admission.h"
#include "storage/layout.h"

/* As long as the kernel takes them, with the NUL (linux/limits.h). */
#define PATH_BYTES_MAX   4096
#define NETWORK_NAME_MAX 64
#define USER_NAME_MAX    32  /* useradd(8) */
#define CONTACT_NAME_MAX 328 /* 64 hex digits, "@", a host name of 253, ":65535", NUL */
#define VALUE_TEXT_MAX   PATH_BYTES_MAX
#define FILE_NAME_MAX    255     /* NAME_MAX of Linux */
#define MEDIA_TYPE_MAX   255     /* RFC 6838: 127 for each half */
#define CAPACITY_MIN     MIB(16) /* four segments of the smallest size, or none can be reclaimed */
#define RATE_MIN         KIB(16) /* a leaf in four seconds; slower, and its receiver gives up */
#define VALUES_COUNTRIES 30      /* as many as a lease carries */
#define VALUES_CONTACTS  32      /* as many as the DHT asks at the start */

struct contact_names { /* PUBKEY@host:port; the host may be a name */
	size_t count;
	char text[VALUES_CONTACTS][CONTACT_NAME_MAX];
};

/* Whose data a node takes. */
struct owner_list {
	size_t count;
	struct owner_quota at[OWNERS_MAX];
};
/* As settings have it; usual: owners, and on test networks all without limits. */
enum accept_word { ACCEPT_WORD_USUAL, ACCEPT_WORD_ANYONE, ACCEPT_WORD_OWNERS, ACCEPT_WORD_NONE };

struct country_list {
	size_t count;
	char code[VALUES_COUNTRIES][2];
};

/* ---- parsing; false: not possible ---- */
/* Bytes: digits, and one of K M G T P E (times 1024), with or without "iB". */
bool value_size(const char *text, uint64_t *out);
/* Decimal digits only, least ≤ value ≤ most. */
bool value_count(const char *text, uint64_t least, uint64_t most, uint64_t *out);
/* "A-B", "A-" (to the end): both included, counted from 0. */
bool value_range(const char *text, uint64_t *from, uint64_t *to);
/* len letters, digits and hyphens, as between the dots of a host's name. */
bool value_label(const char *text, size_t len);
/* A host's name in the DNS, RFC 1123: no address, no port, no dot at the end. */
bool value_host_name(const char *text);
/* "DE"; lower case is made upper. */
bool value_country(const char *text, char out[2]);

/* ---- setters: the type of their field ---- */
bool set_switch(void *field, const char *text); /* bool: "yes" or "no" */
bool set_text(void *field, const char *text);   /* const char *: lends the text */
/* const char *: lends the name of a file in its directory, as get can write it. */
bool set_file_name(void *field, const char *text);
/* const char *: lends a content type, which becomes a line of HTTP. */
bool set_media_type(void *field, const char *text);
bool set_size(void *field, const char *text);        /* uint64_t */
bool set_capacity(void *field, const char *text);    /* uint64_t: 0, or from CAPACITY_MIN */
bool set_rate(void *field, const char *text);        /* uint64_t: 0, or from RATE_MIN */
bool set_days(void *field, const char *text);        /* uint64_t: 1 … 800, or 1d … 800d */
bool set_duration(void *field, const char *text);    /* uint64_t, seconds: 0, 30s … 800d */
bool set_short_day(void *field, const char *text);   /* uint64_t, seconds: 1s … 1d */
bool set_byte(void *field, const char *text);        /* uint8_t: 1 … 255 */
bool set_pow_bits(void *field, const char *text);    /* uint8_t: 0 … IDENTITY_POW_BITS_MAX */
bool set_code(void *field, const char *text);        /* struct code_params */
bool set_country(void *field, const char *text);     /* char[2] */
bool set_region(void *field, const char *text);      /* char[PEER_REGION_MAX + 1] */
bool set_network(void *field, const char *text);     /* char[NETWORK_NAME_MAX] */
bool set_path(void *field, const char *text);        /* char[PATH_BYTES_MAX] */
bool set_user(void *field, const char *text);        /* char[USER_NAME_MAX + 1] */
bool set_level(void *field, const char *text);       /* enum log_level */
bool set_addr(void *field, const char *text);        /* struct addr; port 0 is accepted */
bool set_addr_or_off(void *field, const char *text); /* struct addr; "off": ADDR_NONE */
bool set_contacts(void *field, const char *text);    /* struct contact_names, a list */
bool set_countries(void *field, const char *text);   /* struct country_list, a list; "DE,FR" too */

bool set_accept(void *field, const char *text); /* enum accept_word */
bool set_owners(void *field, const char *text); /* struct owner_list, a list */

/* ---- back to text, for the generated file ---- */
bool get_switch(const void *field, size_t i, char *out, size_t cap);
bool get_size(const void *field, size_t i, char *out, size_t cap);
bool get_duration(const void *field, size_t i, char *out, size_t cap);
bool get_byte(const void *field, size_t i, char *out, size_t cap);
bool get_code(const void *field, size_t i, char *out, size_t cap);
bool get_country(const void *field, size_t i, char *out, size_t cap);
bool get_string(const void *field, size_t i, char *out, size_t cap); /* any char[] */
bool get_level(const void *field, size_t i, char *out, size_t cap);
bool get_addr(const void *field, size_t i, char *out, size_t cap);
bool get_accept(const void *field, size_t i, char *out, size_t cap);
bool get_owners(const void *field, size_t i, char *out, size_t cap);
bool get_contacts(const void *field, size_t i, char *out, size_t cap);

/* What would be right, for struct option. */
#define RIGHT_SIZE     "a size such as 500G, 1T or 0 (K, M, G, T, P are powers of 1024)"
#define RIGHT_CAPACITY "0, or a size from 16M such as 500G or 1T (K, M, G, T, P are powers of 1024)"
#define RIGHT_RATE     "0, or a size from 16K such as 512K or 20M (K, M, G are powers of 1024)"
#define RIGHT_DAY      "a time from 1s to 1d, such as 10s or 45m"
#define RIGHT_DURATION "a time such as 30d, 12h, 45m, 10s or 0, at most 800d"
#define RIGHT_CODE     "k/r/n with 1 <= k <= r < n <= 255, such as 4/6/8"
#define RIGHT_ACCEPT   "anyone, owners, none or usual"
#define RIGHT_OWNER    "an owner key of 64 hexadecimal digits, and a quota if wanted: KEY:100G"
#define RIGHT_COUNTRY  "two letters of ISO 3166-1 such as DE"
#define RIGHT_CONTACT  "PUBKEY@host:port, as the node prints when it starts"
#define RIGHT_SWITCH   "yes or no"
#define RIGHT_LEVEL    "error, warn, info or debug"
#define RIGHT_NAME     "a file's name: at most 255 bytes, no slash in it"
#define RIGHT_TYPE     "a content type such as image/jpeg"
#define RIGHT_DIR      "a directory"
#define RIGHT_FILE     "a file"

#endif
