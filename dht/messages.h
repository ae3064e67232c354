/*
 * What DHT nodes say to each other: one struct, pack and unpack per message, each within one
 * datagram. Layouts: doc/protocol.md. Unpacking allocates only the parsed tree, checks every
 * length, and lends from its input. Contacts travel without their ids, which follow from the keys.
 *
 *	PING         {}                            → {}
 *	SELF         {}                            → SELF reply: own peer record
 *	FIND_NODE    target                        → contacts, nearest first
 *	FIND_REGION  prefix, bits, after           → contacts in id order, more
 *	PUT          records                       → one error code for each
 *	GET          key, kind, skip               → records, count, contacts near the key
 */
#ifndef DHT_MESSAGES_H
#define DHT_MESSAGES_H

#include "dht/record.h"
#include "overlay/base/buf.h"
#include "overlay/contact.h"

enum dht_method {
	DHT_PING = 32,
	DHT_FIND_NODE = 33,
	DHT_FIND_REGION = 34,
	DHT_PUT = 35,
	DHT_GET = 36,
	DHT_SELF = 37,
};

/* No answer to a PING is longer, nor one to a PUT while the asker's address is not proven. */
#define DHT_SHORT_ANSWER   8
/* What a reply of 1024 bytes holds of IPv4 contacts (39 bytes each); 20 of IPv6. */
#define CONTACTS_MAX       26
#define CONTACT_WIRE_BYTES 51 /* family u8, IPv4 4 or IPv6 16, port u16, key 32 */
/* Records are ≥ 131 bytes (a signed one without value), so a datagram never holds more. */
#define RECORDS_MAX        8

/*
 * The shape shared by FIND_NODE's and FIND_REGION's replies, and GET's: keys and addresses. The
 * ids are not set; most that are told are known already, so contact_init() is for the others.
 */
struct contacts {
	size_t count;
	struct contact at[CONTACTS_MAX];
};

struct find_node {
	struct id target;
};
int find_node_pack(const struct find_node *m, struct buf *out);
int find_node_unpack(struct bytes in, struct find_node *out);

struct find_region {
	struct id prefix;
	uint16_t bits;  /* 0..256 of prefix */
	bool has_after; /* the first page has none */
	struct id after;
};
int find_region_pack(const struct find_region *m, struct buf *out);
int find_region_unpack(struct bytes in, struct find_region *out);

/* Packs as many contacts as fit into out->max; more: there are further ones in the region. */
struct nodes_reply {
	struct contacts contacts;
	bool more;
};
int nodes_reply_pack(const struct nodes_reply *m, struct buf *out);
int nodes_reply_unpack(struct bytes in, struct nodes_reply *out);

/* Raw record bytes, not yet checked (record_read). */
struct raw_records {
	size_t count;
	struct bytes at[RECORDS_MAX];
};
/* Bytes a PUT of these would take: who fills a batch asks before adding one. */
size_t put_bytes(const struct raw_records *m);
int put_pack(const struct raw_records *m, struct buf *out);
int put_unpack(struct bytes in, struct raw_records *out); /* lends from in */

struct put_reply {
	size_t count;
	int err[RECORDS_MAX];
};
int put_reply_pack(const struct put_reply *m, struct buf *out);
int put_reply_unpack(struct bytes in, struct put_reply *out);

struct get {
	struct id key;
	enum record_kind kind;
	uint8_t skip; /* records already had from this node */
};
int get_pack(const struct get *m, struct buf *out);
int get_unpack(struct bytes in, struct get *out);

/* As many records as fit from the first, then contacts in what is left. */
struct get_reply {
	struct raw_records records;
	uint8_t total; /* records of the key there */
	struct contacts contacts;
};
int get_reply_pack(const struct get_reply *m, struct buf *out);
int get_reply_unpack(struct bytes in, struct get_reply *out); /* lends from in */

/* The body of requests and replies without content: PING, its reply, and SELF. */
int ping_pack(struct buf *out);

int self_reply_pack(struct bytes peer_record, struct buf *out);
int self_reply_unpack(struct bytes in, struct bytes *peer_record); /* lends from in */

#endif
