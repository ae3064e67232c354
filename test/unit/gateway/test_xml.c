/* XML in and out: what is read, what is refused, that what is written is read again. */
#include "gateway/xml.h"

#include <stdio.h>
#include <stdlib.h>

#include "test/unit/suite.h"

static int
read_text(const char *text, struct xml_doc **d)
{
	*d = NULL;
	return xml_read(bytes_of(text, strlen(text)), d);
}

START_TEST(a_document_is_read)
{
	struct xml_doc *d;
	const struct xml_node *n;

	ck_assert_int_eq(
	    read_text(
		"<?xml version='1.0'?><Delete xmlns='http://s3.amazonaws.com/doc/2006-03-01/'>"
		"<Quiet>true</Quiet><!-- c --><Object><Key>a &amp; b&#x41;<![CDATA[<c>]]></Key>"
		"</Object><Object><Key/></Object></Delete>",
		&d),
	    ERR_OK);
	ck_assert(xml_is(xml_root(d), "Delete"));
	ck_assert_str_eq(xml_text(xml_root(d), "Quiet"), "true");
	n = xml_child(xml_root(d), "Object");
	ck_assert_str_eq(xml_text(n, "Key"), "a & bA<c>");
	ck_assert_str_eq(xml_text(n->next, "Key"), "");
	ck_assert_ptr_null(n->next->next);
	ck_assert_ptr_null(xml_text(xml_root(d), "Nothing"));
	xml_free(d);
	ck_assert_int_eq(read_text("<a xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'><g "
				   "xsi:type='CanonicalUser'>x</g></a>",
			     &d),
	    ERR_OK);
	ck_assert_str_eq(xml_child(xml_root(d), "g")->type, "CanonicalUser");
	ck_assert_str_eq(xml_text(xml_root(d), "g"), "x");
	xml_free(d);
}
END_TEST

START_TEST(bad_documents_are_refused)
{
	static const char *const wrong[] = { "", " ", "x", "<a>", "<a></b>", "<a/><b/>", "<a",
		"</a>", "<a>&undefined;</a>", "<!DOCTYPE a><a/>",
		"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
		"<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>",
		"<!DOCTYPE a SYSTEM 'http://127.0.0.1:1/x.dtd'><a/>",
		("<?xml version='1.0'?><!DOCTYPE lolz [<!ENTITY lol 'lol'><!ENTITY lol2 "
		 "'&lol;&lol;&lol;'>]><lolz>&lol2;</lolz>"),
		"<a>\x01</a>", "<a>\xff\xfe</a>", "<a b=1/>" };
	struct xml_doc *d;
	char deep[400] = "";

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		ck_assert_msg(read_text(wrong[i], &d) == ERR_INVALID, "%s", wrong[i]);
	for (int i = 0; i < XML_DEPTH_MAX; i++)
		strcat(deep, "<a>");
	for (int i = 0; i < XML_DEPTH_MAX; i++)
		strcat(deep, "</a>");
	ck_assert_int_eq(read_text(deep, &d), ERR_OK);
	xml_free(d);
	strcpy(deep, "");
	for (int i = 0; i < XML_DEPTH_MAX + 1; i++)
		strcat(deep, "<a>");
	for (int i = 0; i < XML_DEPTH_MAX + 1; i++)
		strcat(deep, "</a>");
	ck_assert_int_eq(read_text(deep, &d), ERR_INVALID);
}
END_TEST

START_TEST(memory_is_bounded)
{
	size_t len = XML_BYTES_MAX;
	char *text = malloc(len + 1);
	struct xml_doc *d;
	size_t at = 3;

	/* Text in many pieces, each joined to what is there. */
	memset(text, 'x', len);
	memcpy(text, "<a>", 3);
	while (at + 20 < len / 2) {
		memcpy(text + at, "x<![CDATA[y]]>", 14);
		at += 14;
	}
	memcpy(text + len - 4, "</a>", 4);
	text[len] = '\0';
	ck_assert_int_ne(xml_read(bytes_of(text, len), &d), ERR_OK);
	ck_assert_int_eq(xml_read(bytes_of(text, len + 1), &d), ERR_TOO_BIG);
	free(text);
}
END_TEST

START_TEST(what_is_written_is_read)
{
	struct buf b;
	struct xml x;
	struct xml_doc *d;

	buf_init(&b, KIB(4));
	x = xml_begin(&b, "ListBucketResult", S3_XMLNS);
	xml_put(&x, "Key", "a<b>&\"'\t\n\xc3\xa4");
	xml_put_number(&x, "Size", UINT64_MAX);
	xml_put_bool(&x, "IsTruncated", false);
	xml_open(&x, "Owner");
	xml_put(&x, "ID", "");
	xml_close(&x, "Owner");
	ck_assert_int_eq(xml_end(&x, "ListBucketResult"), ERR_OK);
	ck_assert_int_eq(xml_read(buf_bytes(&b), &d), ERR_OK);
	ck_assert_str_eq(xml_text(xml_root(d), "Key"), "a<b>&\"'\t\n\xc3\xa4");
	ck_assert_str_eq(xml_text(xml_root(d), "Size"), "18446744073709551615");
	ck_assert_str_eq(xml_text(xml_root(d), "IsTruncated"), "false");
	xml_free(d);
	buf_reset(&b);
	x = xml_begin(&b, "a", NULL);
	xml_put(&x, "Key", "\x01\x1f");
	(void)xml_end(&x, "a");
	ck_assert_ptr_nonnull(strstr(buf_str(&b), "<Key>&#x1;&#x1f;</Key>"));
	buf_fini(&b);
	buf_init(&b, 20);
	x = xml_begin(&b, "a", NULL);
	xml_put(&x, "Key", "a");
	ck_assert_int_eq(xml_end(&x, "a"), ERR_TOO_BIG);
	buf_fini(&b);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("gateway/xml");

	xml_init();
	suite_add(
	    s, "read", 0, a_document_is_read, bad_documents_are_refused, memory_is_bounded, NULL);
	suite_add(s, "write", 0, what_is_written_is_read, NULL);
	return suite_main(s);
}
