/* libcrypto's reader of certificates; the server has one of its own, which does not tell dates. */
/* libcrypto has a type of this name; here it is an error code of err.h. */
#define ERR_STATE openssl_err_state
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#undef ERR_STATE

#include "gateway/certificate.h"

#include <limits.h>
#include <time.h>

static bool
unix_time(const ASN1_TIME *t, uint64_t *out)
{
	struct tm tm;
	time_t s;

	if (t == NULL || ASN1_TIME_to_tm(t, &tm) != 1)
		return false;
	s = timegm(&tm);
	*out = s < 0 ? 0 : (uint64_t)s;
	return true;
}

static bool
narrow(struct certificate_span *span, const X509 *c)
{
	uint64_t from, until;

	if (!unix_time(X509_get0_notBefore(c), &from) || !unix_time(X509_get0_notAfter(c), &until))
		return false;
	span->from_s = MAX(span->from_s, from);
	span->until_s = MIN(span->until_s, until);
	return true;
}

int
certificate_read(struct bytes pem, struct certificate_span *out)
{
	struct certificate_span span = { .until_s = UINT64_MAX };
	bool good = pem.len <= INT_MAX;
	BIO *text = good ? BIO_new_mem_buf(pem.data, (int)pem.len) : NULL;
	size_t n = 0;
	X509 *c;

	if (text == NULL)
		return good ? ERR_NOMEM : ERR_INVALID;
	while (good && n < CERTIFICATE_CHAIN &&
	       (c = PEM_read_bio_X509(text, NULL, NULL, NULL)) != NULL) {
		good = narrow(&span, c);
		n++;
		X509_free(c);
	}
	BIO_free(text);
	ERR_clear_error(); /* the end is one to it */
	if (!good || n == 0)
		return ERR_INVALID;
	*out = span;
	return ERR_OK;
}

enum certificate_state
certificate_judge(const struct certificate_span *span, uint64_t now_s)
{
	if (now_s > span->until_s)
		return CERTIFICATE_OVER;
	if (now_s < span->from_s)
		return CERTIFICATE_EARLY;
	return span->until_s - now_s < CERTIFICATE_SOON_S ? CERTIFICATE_ENDING : CERTIFICATE_GOOD;
}
