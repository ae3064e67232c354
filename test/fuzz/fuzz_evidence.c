/*
 * Challenges, answers and evidence. As given, nearly no input passes a signature; so the input,
 * behind a byte that says which, also stands for what is between the network id and the signature:
 * it is signed, and what unpacks then must pack to the same bytes.
 */
#include "storage/evidence.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct network_id net = { { 1, 2, 3, 4 } };

static size_t
sign_text(const char *domain, const struct sign_key *key, struct bytes middle, uint8_t *out)
{
	size_t len = strlen(domain);
	struct sig sig;

	memcpy(out, domain, len);
	memcpy(out + len, net.b, sizeof(net.b));
	len += sizeof(net.b);
	memcpy(out + len, middle.data, middle.len);
	len += middle.len;
	crypto_sign_data(&sig, key, out, len);
	memcpy(out + len, sig.b, sizeof(sig.b));
	return len + sizeof(sig.b);
}

static void
as_challenge(const struct identity *who, struct bytes in)
{
	uint8_t middle[512], text[1024], again[AUDIT_CHALLENGE_BYTES];
	struct audit_challenge c;
	size_t len;
	int err;

	memcpy(middle, in.data, in.len);
	memcpy(middle, who->pub.b, MIN(in.len, sizeof(who->pub.b)));
	len = sign_text("skerry/challenge/1", &who->sign, bytes_of(middle, in.len), text);
	err = audit_challenge_unpack(bytes_of(text, len), net, &c);
	must(err == ERR_OK || err == ERR_INVALID);
	if (err != ERR_OK)
		return;
	must(audit_challenge_pack(&c, net, again) == len && memcmp(again, text, len) == 0);
	must(audit_row(&c, (uint8_t)(c.leaves - 1), 1 + c.index) <= c.index);
}

static void
as_answer(const struct identity *who, struct bytes in)
{
	uint8_t middle[512], text[1024], again[AUDIT_ANSWER_BYTES];
	struct audit_answer a;
	size_t len;
	int err;

	memcpy(middle, in.data, in.len);
	if (in.len >= 64)
		memcpy(middle + 32, who->pub.b, 32);
	len = sign_text("skerry/audit-answer/1", &who->sign, bytes_of(middle, in.len), text);
	err = audit_answer_unpack(bytes_of(text, len), net, &a);
	must(err == ERR_OK || err == ERR_INVALID || (err == ERR_AUTH && in.len < 64));
	if (err == ERR_OK)
		must(audit_answer_pack(&a, net, again) == len && memcmp(again, text, len) == 0);
}

static void
as_evidence(struct bytes in)
{
	struct evidence *e = malloc(sizeof(*e));
	enum evidence_finding f;
	struct buf again;

	must(e != NULL);
	buf_init(&again, EVIDENCE_BYTES_MAX);
	if (evidence_unpack(in, e) == ERR_OK) {
		(void)evidence_judge(e, &f);
		must(evidence_pack(e, &again) == ERR_OK && again.len == in.len &&
		     memcmp(again.data, in.data, in.len) == 0);
	}
	buf_fini(&again);
	free(e);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct identity who;

	must(crypto_init() == ERR_OK);
	as_evidence(bytes_of(data, size));
	if (size < 33 || size > 300)
		return 0;
	identity_from_seed(&(struct key){ { 2 } }, &who);
	if (data[0] % 2 == 0)
		as_challenge(&who, bytes_of(data + 1, size - 1));
	else
		as_answer(&who, bytes_of(data + 1, size - 1));
	identity_wipe(&who);
	return 0;
}
