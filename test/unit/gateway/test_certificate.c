/* Dates of certificates: one, a chain, none; and what is told of them when. */
#include "gateway/certificate.h"

#include "test/unit/suite.h"

/* Made for this test, Ed25519, signed by themselves. */
/* 2026-01-01 … 2027-01-01 */
#define OF_2026                                                                                    \
	"-----BEGIN CERTIFICATE-----\n"                                                            \
	"MIHDMHegAwIBAgIBATAFBgMrZXAwDDEKMAgGA1UEAwwBYTAeFw0yNjAxMDEwMDAw\n"                       \
	"MDBaFw0yNzAxMDEwMDAwMDBaMAwxCjAIBgNVBAMMAWEwKjAFBgMrZXADIQDyqC2Y\n"                       \
	"XTN7G7Dz7oZydn9bg0Z12pwin94rKV3xN8GyEDAFBgMrZXADQQDr/bgAxGQxUrcX\n"                       \
	"gvc+qCdMqqnle4/Ooz+P7fUprN9Y/Rp/GIO+HgCt6MXYO/Yqs93IFAVfaIgfOl6x\n"                       \
	"j22iShcB\n"                                                                               \
	"-----END CERTIFICATE-----\n"

/* 2025-01-01 … 2026-07-01 12:00 */
#define TO_JULY                                                                                    \
	"-----BEGIN CERTIFICATE-----\n"                                                            \
	"MIHDMHegAwIBAgIBATAFBgMrZXAwDDEKMAgGA1UEAwwBYjAeFw0yNTAxMDEwMDAw\n"                       \
	"MDBaFw0yNjA3MDExMjAwMDBaMAwxCjAIBgNVBAMMAWIwKjAFBgMrZXADIQAGwp7D\n"                       \
	"UreuLr0FxJ70KdNFBpOXvGMTRZVo5YiGOQ4wqDAFBgMrZXADQQAZNQEqnyKv6vD3\n"                       \
	"UZe+7ZkcbzRA8MjwHYXgypkeVrZQ/BHqZ7WNG48tvE20MYXqZUxU3U+axo9cprU3\n"                       \
	"bGybZ8IH\n"                                                                               \
	"-----END CERTIFICATE-----\n"

/* 1960-01-01 … 2060-01-01 */
#define OLD_AND_LONG                                                                               \
	"-----BEGIN CERTIFICATE-----\n"                                                            \
	"MIHFMHmgAwIBAgIBATAFBgMrZXAwDDEKMAgGA1UEAwwBYzAgFw02MDAxMDEwMDAw\n"                       \
	"MDBaGA8yMDYwMDEwMTAwMDAwMFowDDEKMAgGA1UEAwwBYzAqMAUGAytlcAMhAB+9\n"                       \
	"oK4D71YP/gRgspx/gPQfQny8ZaDBFY7LsTglHyI6MAUGAytlcANBALJjXOlGmnQN\n"                       \
	"q1+Bk/+aZ3kEeLkZAuBZih3Aftlv80thEY8Rmi1k8W6wNN0i+QACEaqJx8QuWeP9\n"                       \
	"M9Qzp7K5jgQ=\n"                                                                           \
	"-----END CERTIFICATE-----\n"

/* 2026-03-01 … 9999-12-31 23:59:59, which says that it has no end (RFC 5280) */
#define ENDLESS                                                                                    \
	"-----BEGIN CERTIFICATE-----\n"                                                            \
	"MIHFMHmgAwIBAgIBATAFBgMrZXAwDDEKMAgGA1UEAwwBZDAgFw0yNjAzMDEwMDAw\n"                       \
	"MDBaGA85OTk5MTIzMTIzNTk1OVowDDEKMAgGA1UEAwwBZDAqMAUGAytlcAMhANVt\n"                       \
	"izD9OgPH+4aZrrpV3AjSKP63UYZP4ilE0Fn3ChOGMAUGAytlcANBADn694OQ39O5\n"                       \
	"WVaY1Y7PfT4s/vb/Y80Es7ll/ctFfFxrtqPHDeL0Q6QbnBvtT0tMSIQjeXcWGJhy\n"                       \
	"YUvn6vOkvwE=\n"                                                                           \
	"-----END CERTIFICATE-----\n"

#define Y2026     UINT64_C(1767225600)
#define Y2027     UINT64_C(1798761600)
#define JULY_NOON UINT64_C(1782907200)
#define MARCH     UINT64_C(1772323200)
#define Y2060     UINT64_C(2840140800)
#define END_9999  UINT64_C(253402300799)

static int
read_text(const char *pem, struct certificate_span *out)
{
	return certificate_read(bytes_of(pem, strlen(pem)), out);
}

START_TEST(dates)
{
	static const struct {
		const char *pem;
		uint64_t from, until;
	} all[] = {
		{ OF_2026, Y2026, Y2027 },
		{ OLD_AND_LONG, 0, Y2060 },
		{ ENDLESS, MARCH, END_9999 },
		{ OF_2026 TO_JULY, Y2026, JULY_NOON }, /* a chain is as good as each of it */
		{ TO_JULY "text between\n" ENDLESS OF_2026, MARCH, JULY_NOON },
	};
	struct certificate_span span;

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		ck_assert_int_eq(read_text(all[i].pem, &span), ERR_OK);
		ck_assert_uint_eq(span.from_s, all[i].from);
		ck_assert_uint_eq(span.until_s, all[i].until);
	}
}
END_TEST

START_TEST(no_certificate)
{
	static const char *const bad[] = { "", "text", "-----BEGIN CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\nMIHD\n-----END CERTIFICATE-----\n",
		"-----BEGIN PRIVATE KEY-----\nMIHD\n-----END PRIVATE KEY-----\n" };
	struct certificate_span span = { 7, 8 };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(read_text(bad[i], &span) == ERR_INVALID, "%s", bad[i]);
	ck_assert(span.from_s == 7 && span.until_s == 8);
}
END_TEST

START_TEST(judged)
{
	struct certificate_span span = { Y2026, Y2027 };

	ck_assert_int_eq(certificate_judge(&span, Y2026 - 1), CERTIFICATE_EARLY);
	ck_assert_int_eq(certificate_judge(&span, Y2026), CERTIFICATE_GOOD);
	ck_assert_int_eq(certificate_judge(&span, Y2027 - CERTIFICATE_SOON_S), CERTIFICATE_GOOD);
	ck_assert_int_eq(
	    certificate_judge(&span, Y2027 - CERTIFICATE_SOON_S + 1), CERTIFICATE_ENDING);
	ck_assert_int_eq(certificate_judge(&span, Y2027), CERTIFICATE_ENDING);
	ck_assert_int_eq(certificate_judge(&span, Y2027 + 1), CERTIFICATE_OVER);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("gateway/certificate");

	suite_add(s, "certificates", 0, dates, no_certificate, judged, NULL);
	return suite_main(s);
}
