/*
 * Who counts references for object/bucket.h in the product: object/content_refs.h. arg is not used.
 */
#ifndef OBJECT_BUCKET_REFS_H
#define OBJECT_BUCKET_REFS_H

#include "object/bucket.h"

extern const struct content_refs bucket_refs;

#endif
