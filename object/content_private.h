/* Shared by the files behind content.h and those beside it. */
#ifndef OBJECT_CONTENT_PRIVATE_H
#define OBJECT_CONTENT_PRIVATE_H

#include "object/content.h"
#include "object/files_private.h"
#include "object/placing.h"

size_t content_form_bytes(const struct content *c); /* may be more than CONTENT_FORM_MAX */
/*
 * A list that is longer than CONTENT_LIST_MAX becomes a manifest of its own, leased for the full
 * term: then c is LISTED.
 */
SUSPENDS int content_store_list(struct placing *p, struct content *c);

#endif
