/*
 * Charters, heads, messages and answers of the head register, an anchor's state, the talk about
 * them. Messages, answers and states are taken as they are: the corpus has signed ones. Of charters
 * and heads the input also stands for what is between the network id and the signature: it is
 * signed, and what unpacks then must pack to the same bytes. What unpacks is shown to an acceptor
 * and to a proposer.
 */
#include <stdlib.h>

#include "storage/acceptor.h"
#include "storage/proposer.h"
#include "storage/register_talk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct network_id net = { { 1, 2, 3, 4 } };

struct room {
	struct charter charter;
	struct head head;
	struct register_message message;
	struct register_answer answer;
	struct acceptor acceptor, next;
	struct proposer proposer;
	struct proposer_out out;
	uint8_t text[REGISTER_BYTES_MAX + 256], again[REGISTER_BYTES_MAX + 256];
};

/* The domain, the network and the input; the key, as deep in as the layout has it; the signature.
 */
static size_t
sign_text(const char *domain, struct bytes in, size_t key_at, uint8_t *out)
{
	struct identity who;
	size_t len = strlen(domain);
	struct sig sig;

	identity_from_seed(&(struct key){ { 2 } }, &who);
	memcpy(out, domain, len);
	memcpy(out + len, net.b, sizeof(net.b));
	len += sizeof(net.b);
	memcpy(out + len, in.data, in.len);
	if (in.len >= key_at + sizeof(who.pub.b))
		memcpy(out + len + key_at, who.pub.b, sizeof(who.pub.b));
	len += in.len;
	crypto_sign_data(&sig, &who.sign, out, len);
	memcpy(out + len, sig.b, sizeof(sig.b));
	identity_wipe(&who);
	return len + sizeof(sig.b);
}

static void
as_charter(struct room *r, struct bytes in)
{
	size_t len = sign_text("skerry/charter/1", in, 0, r->text);

	if (charter_unpack(bytes_of(r->text, len), net, &r->charter) == ERR_OK)
		must(charter_pack(&r->charter, net, r->again) == len &&
		     memcmp(r->again, r->text, len) == 0);
}

static void
as_head(struct room *r, struct bytes in)
{
	size_t len = sign_text("skerry/head/1", in, in.len < 32 ? 0 : in.len - 32, r->text);
	struct unpacker u = unpacker_on(bytes_of(r->text, len));
	struct packer p = packer_on(r->again, sizeof(r->again));

	if (head_unpack(&u, net, NULL, &r->head) != ERR_OK || !unpack_done(&u))
		return;
	head_pack(&p, &r->head, net);
	must(pack_ok(&p) && p.len == len && memcmp(r->again, r->text, len) == 0);
}

/* An anchor of the bucket that the message is for, whatever else it says. */
static void
as_message(struct room *r, struct bytes in)
{
	struct acceptor_sight sight = { .agrees = true };
	size_t len;

	if (register_message_unpack(in, net, &r->message) != ERR_OK)
		return;
	must(register_message_pack(&r->message, net, r->again, sizeof(r->again), &len) == ERR_OK);
	must(len == in.len && memcmp(r->again, in.data, len) == 0);
	memset(&r->acceptor, 0, sizeof(r->acceptor));
	r->acceptor.bucket = r->message.bucket;
	r->acceptor.epoch = r->message.epoch;
	r->acceptor.conf = (struct configuration){ .number = r->message.configuration,
		.anchors_count = 3,
		.quorum = 2,
		.writers_count = 1,
		.writers = { r->message.ballot.writer } };
	(void)acceptor_step(&r->acceptor, &r->message, &sight, &r->next, &r->answer);
}

static void
as_answer(struct room *r, struct bytes in)
{
	size_t len;

	if (register_answer_unpack(in, net, NULL, &r->answer) != ERR_OK)
		return;
	must(register_answer_pack(&r->answer, net, r->again, sizeof(r->again), &len) == ERR_OK);
	must(len == in.len && memcmp(r->again, in.data, len) == 0);
	memset(&r->charter, 0, sizeof(r->charter));
	r->charter.bucket = r->answer.bucket;
	r->charter.epoch = r->answer.epoch;
	r->charter.founding = (struct configuration){ .number = r->answer.configuration,
		.anchors_count = 3,
		.quorum = 2,
		.writers_count = 1,
		.writers = { r->answer.accepted.writer } };
	proposer_init(
	    &r->proposer, &r->charter, NULL, &r->charter.founding.writers[0], r->answer.nonce - 1);
	proposer_read(&r->proposer, 0, 1, &r->out);
	for (uint8_t i = 0; i < 3; i++)
		proposer_answer(&r->proposer, i, &r->answer, 0, 0, &r->out);
}

static void
as_state(struct room *r, struct bytes in)
{
	if (acceptor_unpack(in, net, &r->acceptor) != ERR_OK)
		return;
	must(in.len <= ACCEPTOR_BYTES_MAX);
	must(acceptor_pack(&r->acceptor, net, r->again) == in.len &&
	     memcmp(r->again, in.data, in.len) == 0);
}

/* What is asked and told beside the messages. */
static void
as_talk(struct room *r, struct bytes in)
{
	struct register_chain chain = { .known = true };
	struct anchor_offer offer;
	struct pubkey owner;
	struct grant grant;
	struct hash bucket;
	bool granted;

	if (offer_ask_unpack(in, &owner, &granted, &grant) == ERR_OK)
		must(offer_ask_pack(&owner, granted ? &grant : NULL, r->again) == in.len &&
		     memcmp(r->again, in.data, in.len) == 0);
	if (offer_unpack(in, &offer) == ERR_OK) {
		offer_pack(&offer, r->again);
		must(in.len == OFFER_BYTES && memcmp(r->again, in.data, in.len) == 0);
	}
	if (found_unpack(in, net, &r->charter, &granted, &grant) == ERR_OK)
		must(found_pack(&r->charter, granted ? &grant : NULL, net, r->again) == in.len &&
		     memcmp(r->again, in.data, in.len) == 0);
	if (chain_ask_unpack(in, &bucket, &chain.charter.epoch, &chain.now.number) == ERR_OK)
		must(chain_ask_pack(&bucket, &chain, r->again) == in.len &&
		     memcmp(r->again, in.data, in.len) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct room *r;

	if (size < 1 || size > REGISTER_BYTES_MAX)
		return 0;
	must(crypto_init() == ERR_OK);
	r = calloc(1, sizeof(*r));
	must(r != NULL);
	switch (data[0] % 6) {
	case 0:
		as_charter(r, bytes_of(data + 1, size - 1));
		break;
	case 1:
		as_head(r, bytes_of(data + 1, size - 1));
		break;
	case 2:
		as_message(r, bytes_of(data + 1, size - 1));
		break;
	case 3:
		as_answer(r, bytes_of(data + 1, size - 1));
		break;
	case 5:
		as_talk(r, bytes_of(data + 1, size - 1));
		break;
	default:
		as_state(r, bytes_of(data + 1, size - 1));
		break;
	}
	free(r);
	return 0;
}
