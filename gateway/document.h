/* A bucket's settings that are kept as the XML or JSON that their owner sent (object/settings.h).
 */
#ifndef GATEWAY_DOCUMENT_H
#define GATEWAY_DOCUMENT_H

#include "gateway/request.h"

/* The document in the request's view, parsed as XML. REFUSAL_NO_SETTING. gives */
SUSPENDS int document_xml(struct request *r, const char *name, struct xml_doc **out);
/* Parses off the task's stack. S3_MalformedXML. gives */
SUSPENDS int document_parse(struct request *r, struct bytes text, struct xml_doc **out);

/* What is wrong with one that is to be kept; ERR_OK. */
int cors_check(const struct xml_node *root);
int website_check(const struct xml_node *root);
int encryption_check(const struct xml_node *root);

/* A bucket's tags, as pairs (object/pairs.h). */
#define TAGS_DOCUMENT "tagging"

/* A list of Tag, appended as pairs. set is NULL: there is none. S3_MalformedXML, REFUSAL_TAG,
 * REFUSAL_TAGS_MANY. */
int tags_of_xml(const struct xml_node *set, struct buf *out, size_t max);

#endif
