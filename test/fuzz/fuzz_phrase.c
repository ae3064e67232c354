/* Phrases: what parses is 24 words of one seed; any 32 bytes are a phrase. */
#include <stdlib.h>

#include "object/account.h"
#include "overlay/base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
round_trip(const struct key *seed)
{
	struct key back;
	char text[PHRASE_TEXT_MAX];
	unsigned bad;

	phrase_from_seed(seed, text);
	must(strlen(text) < sizeof(text));
	must(phrase_to_seed(text, &back, &bad) == ERR_OK && bad == 0);
	must(memcmp(back.b, seed->b, sizeof(back.b)) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct key seed;
	unsigned bad;

	must(crypto_init() == ERR_OK && text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	if (phrase_to_seed(text, &seed, &bad) == ERR_OK)
		round_trip(&seed);
	else
		must(bad <= PHRASE_WORDS + 1);
	if (size >= sizeof(seed.b)) {
		memcpy(seed.b, data, sizeof(seed.b));
		round_trip(&seed);
	}
	free(text);
	return 0;
}
