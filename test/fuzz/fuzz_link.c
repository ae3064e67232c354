/* Links: what parses is, but for white space around it, what is printed; any 68 bytes are a link.
 */
#include <stdlib.h>

#include "object/link.h"
#include "overlay/base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
as_text(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), again[LINK_TEXT_MAX];
	struct link l;

	must(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	if (link_parse(text, &l) == ERR_OK) {
		link_print(&l, again);
		must(strncmp(text + strspn(text, " \t\r\n"), again, strlen(again)) == 0);
	}
	free(text);
}

static void
as_bytes(const uint8_t *data)
{
	struct link l = { .kind = data[0] % 2 ? LINK_READ : LINK_VERIFY }, back;
	char text[LINK_TEXT_MAX];

	memcpy(l.net.b, data, 4);
	memcpy(l.manifest.b, data + 4, 32);
	memcpy(l.key.b, data + 36, 32);
	link_print(&l, text);
	must(link_parse(text, &back) == ERR_OK);
	must(back.kind == l.kind && memcmp(back.net.b, l.net.b, 4) == 0);
	must(hash_equal(&back.manifest, &l.manifest) && memcmp(back.key.b, l.key.b, 32) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	must(crypto_init() == ERR_OK);
	as_text(data, size);
	if (size >= 68)
		as_bytes(data);
	return 0;
}
