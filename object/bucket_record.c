/* S3's rules for names, and the record's fixed layout with the charter, as signed, behind it. */
#include "object/bucket_record.h"

static const char domain[] = "skerry/bucket/1";

/* ---- names ---- */

static bool
plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool
begins(const char *name, size_t len, const char *with)
{
	return len >= strlen(with) && memcmp(name, with, strlen(with)) == 0;
}

static bool
ends(const char *name, size_t len, const char *with)
{
	return len >= strlen(with) && memcmp(name + len - strlen(with), with, strlen(with)) == 0;
}

/* Four numbers with dots between them: what would be taken for a host's address. */
static bool
like_address(const char *name, size_t len)
{
	unsigned dots = 0;

	for (size_t i = 0; i < len; i++) {
		if (name[i] == '.')
			dots++;
		else if (name[i] < '0' || name[i] > '9')
			return false;
	}
	return dots == 3;
}

bool
bucket_name_valid(const char *name, size_t len)
{
	static const char *const first[] = { "xn--", "sthree-", "amzn-s3-demo-" };
	static const char *const last[] = { "-s3alias", "--ol-s3", ".mrap", "--x-s3",
		"--table-s3" };

	if (len < 3 || len > BUCKET_NAME_MAX || !plain(name[0]) || !plain(name[len - 1]) ||
	    like_address(name, len))
		return false;
	for (size_t i = 1; i < len; i++) {
		if (!plain(name[i]) && name[i] != '-' && name[i] != '.')
			return false;
		/* A dot stands between letters: each part is a name of DNS. */
		if (name[i] == '.' && (!plain(name[i - 1]) || !plain(name[i + 1])))
			return false;
	}
	for (size_t i = 0; i < ARRAY_LEN(first); i++) {
		if (begins(name, len, first[i]))
			return false;
	}
	for (size_t i = 0; i < ARRAY_LEN(last); i++) {
		if (ends(name, len, last[i]))
			return false;
	}
	return true;
}

/* ---- the record ---- */

size_t
bucket_record_pack(
    const struct bucket_record *r, struct network_id net, uint8_t out[BUCKET_RECORD_BYTES_MAX])
{
	struct packer p = packer_on(out, BUCKET_RECORD_BYTES_MAX);
	uint8_t charter[CHARTER_BYTES_MAX];
	size_t len = charter_pack(&r->charter, net, charter);

	pack_domain(&p, domain, NULL);
	pack_u8(&p, r->state);
	pack_u64(&p, r->created_ms);
	pack_raw(&p, r->seed.salt, sizeof(r->seed.salt));
	pack_raw(&p, r->seed.secret.b, sizeof(r->seed.secret.b));
	pack_text(&p, r->location.text);
	pack_raw(&p, charter, len);
	must(pack_ok(&p));
	return p.len;
}

static int
unpack_location(struct unpacker *u, struct bucket_location *out)
{
	char text[BUCKET_LOCATION_TEXT];

	unpack_text(u, text, sizeof(text));
	return u->failed || bucket_location_parse(text, out) != ERR_OK ? ERR_CORRUPT : ERR_OK;
}

static int
unpack_fields(struct unpacker *u, struct network_id net, struct bucket_record *out)
{
	int err;

	out->state = unpack_u8(u);
	out->created_ms = unpack_u64(u);
	unpack_raw(u, out->seed.salt, sizeof(out->seed.salt));
	unpack_raw(u, out->seed.secret.b, sizeof(out->seed.secret.b));
	err = unpack_location(u, &out->location);
	if (err != ERR_OK || out->state > BUCKET_GONE)
		return ERR_CORRUPT;
	err = charter_unpack(unpack_lend(u, unpack_left(u)), net, &out->charter);
	if (err == ERR_OK && memcmp(out->charter.salt, out->seed.salt, sizeof(out->seed.salt)) != 0)
		err = ERR_CORRUPT;
	return err;
}

int
bucket_record_unpack(struct bytes in, struct network_id net, struct bucket_record *out)
{
	struct unpacker u = unpacker_on(in);
	struct bucket_record r;
	int err = unpack_domain(&u, domain, NULL);

	if (err != ERR_OK)
		return err == ERR_VERSION ? err : ERR_CORRUPT;
	memset(&r, 0, sizeof(r));
	err = unpack_fields(&u, net, &r);
	if (err == ERR_OK)
		*out = r;
	bucket_record_wipe(&r);
	return err;
}

void
bucket_record_wipe(struct bucket_record *r)
{
	crypto_wipe(r, sizeof(*r));
}
