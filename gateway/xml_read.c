/*
 * The adapter of libxml2: its reader, one node at a time, into a small tree of our own. A document
 * type ends the reading at once, so no entity is ever declared, and nothing is ever fetched.
 */
#include <libxml/xmlreader.h>
#include <stdlib.h>

#include "gateway/xml.h"

#define MEMORY_MAX  MIB(48) /* of one document: XML_NODES_MAX nodes, and twice its text */
#define PIECE_BYTES 32      /* that a piece costs besides what is in it */

struct xml_doc {
	struct xml_node *root;
	size_t bytes, count;
	struct xml_piece *pieces;
};

struct xml_piece { /* what the document's texts and nodes lie in */
	struct xml_piece *next;
	char data[];
};

struct reading {
	struct xml_doc *doc;
	struct xml_node *stack[XML_DEPTH_MAX];
	struct xml_node *last[XML_DEPTH_MAX]; /* the last child so far */
	int depth;                            /* open elements */
	size_t nodes;
};

static void *
take(struct xml_doc *d, size_t len)
{
	struct xml_piece *p;

	if (len > MEMORY_MAX - d->bytes)
		return NULL;
	p = calloc(1, sizeof(*p) + len);
	if (p == NULL)
		return NULL;
	d->bytes += len;
	d->count++;
	p->next = d->pieces;
	d->pieces = p;
	return p->data;
}

static char *
copy(struct xml_doc *d, const xmlChar *text)
{
	size_t len = text == NULL ? 0 : strlen((const char *)text);
	char *out = take(d, len + 1);

	if (out != NULL && len > 0)
		memcpy(out, text, len);
	return out;
}

static int
open_element(struct reading *r, xmlTextReaderPtr reader)
{
	struct xml_node *n;

	if (r->depth == XML_DEPTH_MAX || ++r->nodes > XML_NODES_MAX)
		return ERR_INVALID;
	n = take(r->doc, sizeof(*n));
	if (n == NULL)
		return ERR_NOMEM;
	n->name = copy(r->doc, xmlTextReaderConstLocalName(reader));
	n->text = "";
	if (n->name == NULL)
		return ERR_NOMEM;
	if (xmlTextReaderHasAttributes(reader) == 1 &&
	    xmlTextReaderMoveToAttributeNs(reader, (const xmlChar *)"type",
		(const xmlChar *)"http://www.w3.org/2001/XMLSchema-instance") == 1) {
		n->type = copy(r->doc, xmlTextReaderConstValue(reader));
		(void)xmlTextReaderMoveToElement(reader);
	}
	if (r->depth == 0)
		r->doc->root = n;
	else if (r->last[r->depth - 1] == NULL)
		r->stack[r->depth - 1]->child = n;
	else
		r->last[r->depth - 1]->next = n;
	if (r->depth > 0)
		r->last[r->depth - 1] = n;
	if (xmlTextReaderIsEmptyElement(reader) != 1) {
		r->stack[r->depth] = n;
		r->last[r->depth] = NULL;
		r->depth++;
	}
	return ERR_OK;
}

/* Text may come in pieces (CDATA between). */
static int
add_text(struct reading *r, const xmlChar *text)
{
	struct xml_node *n = r->depth > 0 ? r->stack[r->depth - 1] : NULL;
	size_t had, len;
	char *joined;

	if (n == NULL || text == NULL)
		return ERR_OK;
	had = strlen(n->text);
	len = strlen((const char *)text);
	joined = take(r->doc, had + len + 1);
	if (joined == NULL)
		return ERR_NOMEM;
	memcpy(joined, n->text, had);
	memcpy(joined + had, text, len);
	n->text = joined;
	return ERR_OK;
}

static int
step(struct reading *r, xmlTextReaderPtr reader)
{
	switch (xmlTextReaderNodeType(reader)) {
	case XML_READER_TYPE_ELEMENT:
		return open_element(r, reader);
	case XML_READER_TYPE_END_ELEMENT:
		r->depth--;
		return ERR_OK;
	case XML_READER_TYPE_TEXT:
	case XML_READER_TYPE_CDATA:
	case XML_READER_TYPE_SIGNIFICANT_WHITESPACE:
	case XML_READER_TYPE_WHITESPACE:
		return ++r->nodes > XML_NODES_MAX ? ERR_INVALID
						  : add_text(r, xmlTextReaderConstValue(reader));
	case XML_READER_TYPE_DOCUMENT_TYPE:
	case XML_READER_TYPE_ENTITY_REFERENCE:
	case XML_READER_TYPE_ENTITY:
		return ERR_INVALID;
	default:
		return ERR_OK; /* comments, instructions */
	}
}

static void
keep_quiet(
    void *arg, const char *message, xmlParserSeverities severity, xmlTextReaderLocatorPtr where)
{
	(void)arg;
	(void)message;
	(void)severity;
	(void)where;
}

void
xml_init(void)
{
	xmlInitParser();
}

int
xml_read(struct bytes text, struct xml_doc **out)
{
	struct reading r = { .doc = NULL };
	xmlTextReaderPtr reader;
	int err = ERR_OK, got;

	if (text.len > XML_BYTES_MAX)
		return ERR_TOO_BIG;
	if (text.len == 0)
		return ERR_INVALID;
	r.doc = calloc(1, sizeof(*r.doc));
	reader = r.doc == NULL
		     ? NULL
		     : xmlReaderForMemory((const char *)text.data, (int)text.len, NULL, NULL,
			   XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	if (reader == NULL) {
		xml_free(r.doc);
		return ERR_NOMEM;
	}
	xmlTextReaderSetErrorHandler(reader, keep_quiet, NULL);
	while ((got = xmlTextReaderRead(reader)) == 1 && err == ERR_OK)
		err = step(&r, reader);
	if (err == ERR_OK && (got != 0 || r.doc->root == NULL || r.depth != 0))
		err = ERR_INVALID;
	xmlFreeTextReader(reader);
	if (err != ERR_OK)
		xml_free(r.doc);
	else
		*out = r.doc;
	return err;
}

void
xml_free(struct xml_doc *d)
{
	if (d == NULL)
		return;
	while (d->pieces != NULL) {
		struct xml_piece *next = d->pieces->next;

		free(d->pieces);
		d->pieces = next;
	}
	free(d);
}

size_t
xml_bytes(const struct xml_doc *d)
{
	return sizeof(*d) + d->bytes + d->count * PIECE_BYTES;
}

const struct xml_node *
xml_root(const struct xml_doc *d)
{
	return d->root;
}

bool
xml_is(const struct xml_node *node, const char *name)
{
	return node != NULL && strcmp(node->name, name) == 0;
}

const struct xml_node *
xml_child(const struct xml_node *node, const char *name)
{
	const struct xml_node *n = node == NULL ? NULL : node->child;

	while (n != NULL && strcmp(n->name, name) != 0)
		n = n->next;
	return n;
}

const char *
xml_text(const struct xml_node *node, const char *name)
{
	const struct xml_node *n = xml_child(node, name);

	return n == NULL ? NULL : n->text;
}
