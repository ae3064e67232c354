/*
 * Signed facts about one node, in one file that anybody can judge without the network and without
 * trusting who wrote it down: the challenge, what the node answered, what it had promised before,
 * and where only the auditor can tell (nobody answered, the bytes were not those signed for), his
 * signed word, which counts as his word and no more. Facts are shared, opinions never ([10]). Pure,
 * fuzzed.
 */
#ifndef STORAGE_EVIDENCE_H
#define STORAGE_EVIDENCE_H

#include "overlay/base/buf.h"
#include "storage/audit.h"
#include "storage/descriptor.h"
#include "storage/lease.h"

/* What only the auditor saw. */
enum audit_word_kind {
	WORD_SILENT = 1, /* no answer, however often it was asked */
	WORD_LATE = 2,   /* a good answer, later than anybody needs who has the shard */
	WORD_BYTES = 3,  /* bytes that are not those it signed for, or cut off */
	WORD_REFUSED = 4 /* it would not be audited, again and again */
};
struct audit_word {
	enum audit_word_kind kind;
	uint8_t tries;
	uint64_t last;      /* unix seconds of the last try */
	uint32_t waited_ms; /* in it */
	struct sig sig;     /* of the challenge's auditor */
};

struct evidence {
	struct network_id net;
	struct audit_challenge challenge;
	bool answered;
	struct audit_answer answer;
	struct audit_proofs proofs; /* of an answer that says held, without a word; else none */
	bool described;             /* needed to judge proofs */
	struct descriptor descriptor;
	bool worded;
	struct audit_word word;
	/* What the node had promised: either or both. */
	bool receipted, answered_before;
	struct receipt receipt;
	struct audit_challenge challenge_before;
	struct audit_answer answer_before;
};

/* The word is signed into *e, whose challenge is the auditor's own. */
void evidence_give_word(
    struct evidence *e, const struct audit_word *word, const struct identity *auditor);

#define EVIDENCE_BYTES_MAX KIB(16)
/* Appends the file. ERR_TOO_BIG: no room in out. */
int evidence_pack(const struct evidence *e, struct buf *out);
/*
 * Checks every signature and that all parts speak of the same node and shard: ERR_INVALID,
 * ERR_AUTH, ERR_VERSION. Of whatever network.
 */
int evidence_unpack(struct bytes in, struct evidence *out);

enum evidence_finding {
	FOUND_HELD = 1, /* the node had the shard */
	FOUND_LOST,     /* it says itself that it has it not; no promise is shown */
	FOUND_FORGED,   /* it signed for leaves that are not the shard's */
	FOUND_BROKEN,   /* it signed that it would keep the shard, and that it has it not */
	FOUND_DISPUTED, /* the same; it says that the leases had ended, which a deletion would show
			 */
	FOUND_WORD,     /* only the auditor says so */
};
/* What the facts prove. ERR_INVALID: they are not complete. */
int evidence_judge(const struct evidence *e, enum evidence_finding *out);
/* Of two about one node the one with the higher number says more against it; a word is the least.
 */
int evidence_strength(enum evidence_finding f);
/* The same of two packed ones; what cannot be read says nothing. */
bool evidence_outweighs(struct bytes one, struct bytes other);
const char *evidence_finding_text(enum evidence_finding f);
const char *audit_word_text(enum audit_word_kind k);

#endif
