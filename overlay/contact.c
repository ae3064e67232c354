/*
 * Contacts as text and bytes. The id is computed here and nowhere else taken
 * on trust; text and bytes without a usable address are refused.
 */
#include "overlay/contact.h"

#include "overlay/base/crypto.h"
#include "overlay/base/err.h"
#include "overlay/identity.h"

#define PUBKEY_HEX_LEN (2 * sizeof(((struct pubkey *)0)->b))

void
contact_init(struct contact *out, const struct pubkey *pub, const struct addr *addr)
{
	struct contact c = { .pub = *pub };

	if (addr != NULL)
		c.addr = *addr;
	id_of_pubkey(&c.pub, &c.id);
	*out = c;
}

bool
contact_equal(const struct contact *a, const struct contact *b)
{
	return pubkey_equal(&a->pub, &b->pub) && addr_equal(&a->addr, &b->addr);
}

const char *
contact_format(const struct contact *c, char out[CONTACT_TEXT_MAX])
{
	hex_encode(out, c->pub.b, sizeof(c->pub.b));
	out[PUBKEY_HEX_LEN] = '@';
	addr_format(&c->addr, out + PUBKEY_HEX_LEN + 1);
	return out;
}

int
contact_split(const char *text, struct pubkey *pub, char host[ADDR_HOST_MAX], uint16_t *port)
{
	const char *at = strchr(text, '@');
	struct pubkey key;

	if (at == NULL || hex_decode(key.b, sizeof(key.b), text, (size_t)(at - text)) != ERR_OK)
		return ERR_INVALID;

	int err = addr_split(at + 1, host, port);

	if (err == ERR_OK)
		*pub = key;
	return err;
}

int
contact_parse(const char *text, struct contact *out)
{
	char host[ADDR_HOST_MAX];
	struct pubkey pub;
	struct addr addr;
	uint16_t port;

	if (contact_split(text, &pub, host, &port) != ERR_OK || port == 0 ||
	    addr_from_host(host, port, &addr) != ERR_OK)
		return ERR_INVALID;
	contact_init(out, &pub, &addr);
	return ERR_OK;
}

void
contact_pack(struct packer *p, const struct contact *c)
{
	must(c->addr.family != ADDR_NONE && c->addr.port != 0);
	pack_raw(p, c->pub.b, sizeof(c->pub.b));
	addr_pack(p, &c->addr);
}

void
contact_unpack(struct unpacker *u, struct contact *out)
{
	struct pubkey pub;
	struct addr addr;

	unpack_raw(u, pub.b, sizeof(pub.b));
	addr_unpack(u, &addr);
	if (addr.family == ADDR_NONE || addr.port == 0)
		u->failed = true;
	if (!u->failed)
		contact_init(out, &pub, &addr);
}
