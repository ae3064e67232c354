/* Contacts, as bytes and as text: what is read, written and read again is the same. */
#include "overlay/base/crypto.h"
#include "overlay/base/err.h"
#include "overlay/contact.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT_BYTES_MAX 512

static void
packed(const uint8_t *data, size_t size)
{
	struct unpacker u = unpacker_on(bytes_of(data, size));
	uint8_t again[CONTACT_PACKED_BYTES];
	struct contact c;

	contact_unpack(&u, &c);
	if (!unpack_done(&u))
		return;

	struct packer p = packer_on(again, sizeof(again));

	contact_pack(&p, &c);
	must(pack_ok(&p) && p.len == size && memcmp(again, data, size) == 0);
	must(addr_group(&c.addr) != 0);
}

static void
text(const uint8_t *data, size_t size)
{
	char in[TEXT_BYTES_MAX], out[CONTACT_TEXT_MAX], host[ADDR_HOST_MAX];
	struct contact c, again;
	struct pubkey pub;
	uint16_t port;

	if (size >= sizeof(in))
		return;
	if (size > 0)
		memcpy(in, data, size);
	in[size] = '\0';
	if (contact_split(in, &pub, host, &port) == ERR_OK)
		must(host[0] != '\0');
	if (contact_parse(in, &c) != ERR_OK)
		return;
	must(contact_parse(contact_format(&c, out), &again) == ERR_OK);
	must(contact_equal(&c, &again) && id_equal(&c.id, &again.id));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	must(crypto_init() == ERR_OK);
	packed(data, size);
	text(data, size);
	return 0;
}
