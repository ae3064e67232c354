/* Documents that users send: XML, which writes again to what reads the same, and policies, which
 * judge. */
#include <stdlib.h>

#include "gateway/policy.h"
#include "gateway/xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
depth_of(const struct xml_node *n)
{
	int depth = 0;

	for (const struct xml_node *c = n->child; c != NULL; c = c->next) {
		int d = depth_of(c);

		depth = MAX(depth, d);
	}
	return depth + 1;
}

static const char *
value(void *arg, const char *name, size_t i, char scratch[POLICY_VALUE_MAX])
{
	(void)arg;
	(void)scratch;
	return i == 0 ? name : NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy_question q = { .account = "a",
		.action = "s3:GetObject",
		.bucket = "bucket",
		.key = "key",
		.value = value };
	struct policy *p;
	struct xml_doc *d;
	const char *why;

	xml_init();
	if (xml_read(bytes_of(data, size), &d) == ERR_OK) {
		must(depth_of(xml_root(d)) <= XML_DEPTH_MAX);
		xml_free(d);
	}
	if (policy_parse(bytes_of(data, size), "bucket", &p, &why) == ERR_OK) {
		(void)policy_judge(p, &q);
		(void)policy_public(p);
		policy_free(p);
	}
	return 0;
}
