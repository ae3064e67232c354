/*
 * Peer records. As given, nearly no input passes the signature, so the input also stands for what
 * is between the network id and the signature: keys and signatures are put right, and what unpacks
 * then must pack to the same bytes.
 */
#include "overlay/base/err.h"
#include "overlay/peer_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct network_id net = { { 1, 2, 3, 4 } };

#define DOMAIN_BYTES 17 /* "skerry/peer/1" and the network id */
#define ADDRS_AT     (DOMAIN_BYTES + 32 + 4)

/* Puts operator and countersignature where the lengths in the record say they are. */
static void
countersign(uint8_t *record, size_t len, const struct pubkey *node)
{
	struct key seed = { { 2 } };
	struct sign_key sign;
	struct pubkey pub;
	struct sig sig;

	if (len <= ADDRS_AT)
		return;

	size_t region_at = ADDRS_AT + 1 + (size_t)record[ADDRS_AT] * ADDR_PACKED_BYTES + 2;

	if (len <= region_at)
		return;

	size_t flag_at = region_at + 1 + record[region_at];

	if (len < flag_at + 1 + 32 + 64 || record[flag_at] != 1)
		return;
	crypto_sign_key_from_seed(&seed, &sign, &pub);
	peer_record_countersign(&sign, &net, node, &sig);
	memcpy(record + flag_at + 1, pub.b, 32);
	memcpy(record + flag_at + 33, sig.b, 64);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t record[PEER_RECORD_BYTES_MAX], again[PEER_RECORD_BYTES_MAX];
	struct key seed = { { 1 } };
	struct identity who;
	struct peer_record r;
	struct sig sig;
	size_t len = DOMAIN_BYTES + size, again_len;

	must(crypto_init() == ERR_OK);
	(void)peer_record_unpack(bytes_of(data, size), &net, &r);
	if (size < 32 || len + 64 > sizeof(record))
		return 0;
	identity_from_seed(&seed, &who);
	memcpy(record, "skerry/peer/1\1\2\3\4", DOMAIN_BYTES);
	memcpy(record + DOMAIN_BYTES, data, size);
	memcpy(record + DOMAIN_BYTES, who.pub.b, 32);
	countersign(record, len, &who.pub);
	crypto_sign_data(&sig, &who.sign, record, len);
	memcpy(record + len, sig.b, 64);
	len += 64;

	int err = peer_record_unpack(bytes_of(record, len), &net, &r);

	must(err == ERR_OK || err == ERR_INVALID);
	if (err == ERR_OK) {
		must(peer_record_pack(&r, &who, &net, again, sizeof(again), &again_len) == ERR_OK);
		must(again_len == len && memcmp(again, record, len) == 0);
	}
	identity_wipe(&who);
	return 0;
}
