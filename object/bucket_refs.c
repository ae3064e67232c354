/* Kept forms, counted by object/content_refs.h. */
#include "object/bucket_refs.h"

#include "object/content_refs.h"

const struct content_refs bucket_refs = {
	.named = content_form_named, .ref = content_form_ref, .unref = content_form_unref
};
