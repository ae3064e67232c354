/*
 * XML as S3 speaks it: small documents without attributes that matter. The reader takes what
 * strangers send (by libxml2, without network, entities or DTD, at most XML_DEPTH_MAX deep); the
 * writer appends text. Names of elements are compared without their namespace.
 */
#ifndef GATEWAY_XML_H
#define GATEWAY_XML_H

#include "overlay/base/buf.h"
#include "overlay/base/err.h"

#define XML_BYTES_MAX MIB(2) /* 1,000 keys of 1,024 bytes to delete, escaped; 10,000 parts */
#define XML_DEPTH_MAX 16
#define XML_NODES_MAX 250000 /* 10,000 parts of six elements, and the spaces between */

struct xml_node {
	const char *name; /* without prefix */
	const char *text; /* of all text directly inside, "" if none; as it stands */
	const char *type; /* attribute xsi:type; NULL */
	struct xml_node *child, *next;
};
struct xml_doc;

/* Once, before any worker reads: the library's own tables. */
void xml_init(void);
/* Big stacks: not on a task's, so by env_offload(). ERR_INVALID: not well-formed, or one of the
 * limits; ERR_TOO_BIG. gives */
int xml_read(struct bytes text, struct xml_doc **out);
void xml_free(struct xml_doc *d);
size_t xml_bytes(const struct xml_doc *d); /* of memory, about */
const struct xml_node *xml_root(const struct xml_doc *d);
/* The first child with this name; NULL, also for node NULL. */
const struct xml_node *xml_child(const struct xml_node *node, const char *name);
/* Its text; NULL: there is none. */
const char *xml_text(const struct xml_node *node, const char *name);
bool xml_is(const struct xml_node *node, const char *name);

/* ---- writing: errors stick, xml_end() tells ---- */
struct xml {
	struct buf *out; /* lent */
	int err;
};
#define S3_XMLNS "http://s3.amazonaws.com/doc/2006-03-01/"
/* The declaration and the root, which is left open. namespace NULL: none. */
struct xml xml_begin(struct buf *out, const char *root, const char *namespace);
void xml_open(struct xml *x, const char *name);
void xml_close(struct xml *x, const char *name);
void xml_put(struct xml *x, const char *name, const char *text); /* escaped */
void xml_put_bytes(struct xml *x, const char *name, struct bytes text);
void xml_put_number(struct xml *x, const char *name, uint64_t n);
void xml_put_bool(struct xml *x, const char *name, bool b);
void xml_raw(struct xml *x, const char *text);
int xml_end(struct xml *x, const char *root);

#endif
