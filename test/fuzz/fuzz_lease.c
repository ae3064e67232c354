/*
 * Leases and receipts. As given, nearly no input passes the signature; so the input, behind a byte
 * that says which, also stands for what is between the network id and the signature: the signer is
 * put in, it is signed, and what unpacks then must pack to the same bytes.
 */
#include "overlay/base/err.h"
#include "storage/lease.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct network_id net = { { 1, 2, 3, 4 } };

static size_t
signed_text(const char *domain, const uint8_t *data, size_t size, uint8_t *out)
{
	size_t len = strlen(domain);

	memcpy(out, domain, len);
	memcpy(out + len, net.b, sizeof(net.b));
	memcpy(out + len + sizeof(net.b), data, size);
	return len + sizeof(net.b) + size;
}

static void
add_signature(const struct sign_key *key, uint8_t *text, size_t *len)
{
	struct sig sig;

	crypto_sign_data(&sig, key, text, *len);
	memcpy(text + *len, sig.b, sizeof(sig.b));
	*len += sizeof(sig.b);
}

static void
as_lease(const uint8_t *data, size_t size)
{
	uint8_t text[512], again[LEASE_BYTES_MAX];
	struct sign_key key;
	struct pubkey pub;
	struct lease l;
	size_t len;
	int err;

	crypto_sign_key_from_seed(&(struct key){ { 1 } }, &key, &pub);
	len = signed_text("skerry/lease/1", data, size, text);
	memcpy(text + 18, pub.b, sizeof(pub.b));
	add_signature(&key, text, &len);
	err = lease_unpack(bytes_of(text, len), net, &l);
	must(err == ERR_OK || err == ERR_INVALID);
	if (err == ERR_OK) {
		must(constraints_valid(&l.constraints));
		must(lease_pack(&l, net, again) == len && memcmp(again, text, len) == 0);
	}
}

static void
as_receipt(const uint8_t *data, size_t size)
{
	uint8_t text[512], again[RECEIPT_BYTES];
	struct identity node;
	struct receipt r;
	size_t len;
	int err;

	identity_from_seed(&(struct key){ { 2 } }, &node);
	len = signed_text("skerry/receipt/1", data, size, text);
	memcpy(text + len - 32, node.pub.b, 32);
	add_signature(&node.sign, text, &len);
	err = receipt_unpack(bytes_of(text, len), net, &r);
	must((err == ERR_OK) == (len == RECEIPT_BYTES));
	if (err == ERR_OK)
		must(receipt_pack(&r, net, again) == len && memcmp(again, text, len) == 0);
	identity_wipe(&node);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lease l;
	struct receipt r;

	must(crypto_init() == ERR_OK);
	(void)lease_unpack(bytes_of(data, size), net, &l);
	(void)receipt_unpack(bytes_of(data, size), net, &r);
	if (size < 33 || size > 300)
		return 0;
	if (data[0] % 2 == 0)
		as_lease(data + 1, size - 1);
	else
		as_receipt(data + 1, size - 1);
	return 0;
}
