/* From the connection, or from another content, to a writer. */
#include "gateway/stored.h"

#include <stdlib.h>

/* The numbers of both tables are one. */
static_assert((int)SUM_CRC32 == (int)CHECKSUM_CRC32 && (int)SUM_CRC32C == (int)CHECKSUM_CRC32C &&
		  (int)SUM_CRC64NVME == (int)CHECKSUM_CRC64NVME &&
		  (int)SUM_SHA1 == (int)CHECKSUM_SHA1 && (int)SUM_SHA256 == (int)CHECKSUM_SHA256,
    "a checksum's number is kept in buckets");
static_assert((int)SUM_FULL_OBJECT == (int)CHECKSUM_FULL_OBJECT &&
		  (int)SUM_COMPOSITE == (int)CHECKSUM_COMPOSITE,
    "and so is its type");
static_assert((int)SUM_BYTES_MAX == (int)CHECKSUM_BYTES_MAX, "the longest is SHA-256");

void
stored_init(struct stored *s)
{
	*s = (struct stored){ .size = 0 };
	buf_init(&s->form, REALM_FORM_MAX);
}

void
stored_fini(struct stored *s)
{
	buf_fini(&s->form);
}

static void
set_checksum(struct stored *s, enum sum_algo algo, const uint8_t *value)
{
	s->checksum.algorithm = (uint8_t)algo;
	s->checksum.type = CHECKSUM_FULL_OBJECT;
	memcpy(s->checksum.value, value, SUM_BYTES_MAX);
}

SUSPENDS int
stored_body(struct request *r, const struct body_opts *opts, const struct realm_write *write,
    struct stored *out)
{
	const struct realm_bucket_ops *ops = r->bucket->ops;
	struct realm_write w = *write;
	struct realm_writer *writer = NULL;
	struct body *body;
	struct bytes piece;
	int err = body_open(r, opts, &body);

	if (err != ERR_OK)
		return err;
	w.bytes = body_length(body);
	err = ops->writer_new(r->bucket, &w, &writer);
	while (err == ERR_OK && (err = body_next(body, &piece)) == ERR_OK)
		err = ops->write(writer, piece);
	if (err == ERR_END)
		err = body_finish(body);
	if (err == ERR_OK)
		err = ops->finish(writer, &out->form);
	if (err == ERR_OK) {
		out->size = body_seen(body);
		out->etag.parts = 0;
		memcpy(out->etag.md5, body_md5(body), sizeof(out->etag.md5));
		if (body_sum_algo(body) != SUM_NONE)
			set_checksum(out, body_sum_algo(body), body_sum(body));
	}
	if (writer != NULL)
		ops->writer_free(writer);
	body_free(body);
	return err;
}

/* ---- copying ---- */

struct hashing {
	struct md5 *md5;
	struct sum *sum;
	struct bytes piece;
};

static int
hash_piece(void *arg)
{
	struct hashing *h = arg;

	md5_update(h->md5, h->piece.data, h->piece.len);
	if (h->sum != NULL)
		sum_update(h->sum, h->piece.data, h->piece.len);
	return ERR_OK;
}

static SUSPENDS int
pump(struct request *r, const struct stored_source *source, struct realm_writer *writer,
    struct hashing *h, uint64_t *size)
{
	int err;

	while ((err = source->next(source->arg, &h->piece)) == ERR_OK) {
		*size += h->piece.len;
		err = env_offload(r->env, WORK_CPU, hash_piece, h, h->piece.len);
		if (err == ERR_OK)
			err = r->bucket->ops->write(writer, h->piece);
		if (err != ERR_OK)
			break;
	}
	return err == ERR_END ? ERR_OK : err;
}

SUSPENDS int
stored_from(struct request *r, const struct stored_source *source, const struct realm_write *write,
    struct stored *out)
{
	const struct realm_bucket_ops *ops = r->bucket->ops;
	enum sum_algo algo = source->algo;
	struct hashing h = { .md5 = md5_new(), .sum = algo == SUM_NONE ? NULL : sum_new(algo) };
	struct realm_write w = *write;
	struct realm_writer *writer = NULL;
	uint8_t value[SUM_BYTES_MAX];
	int err = h.md5 == NULL || (algo != SUM_NONE && h.sum == NULL) ? ERR_NOMEM : ERR_OK;

	w.bytes = source->length;
	out->size = 0;
	if (err == ERR_OK)
		err = ops->writer_new(r->bucket, &w, &writer);
	if (err == ERR_OK)
		err = pump(r, source, writer, &h, &out->size);
	if (err == ERR_OK)
		err = ops->finish(writer, &out->form);
	if (err == ERR_OK) {
		out->etag.parts = 0;
		md5_final(h.md5, out->etag.md5);
		if (h.sum != NULL) {
			sum_final(h.sum, value);
			set_checksum(out, algo, value);
		}
	}
	if (writer != NULL)
		ops->writer_free(writer);
	if (h.md5 != NULL)
		md5_free(h.md5);
	sum_free(h.sum);
	return err;
}

struct reading {
	const struct realm_bucket_ops *ops;
	struct realm_reader *reader; /* NULL: nothing to read */
};

static SUSPENDS int
next_read(void *arg, struct bytes *lent)
{
	struct reading *g = arg;

	return g->reader == NULL ? ERR_END : g->ops->read(g->reader, lent);
}

SUSPENDS int
stored_copy(struct request *r, const struct stored_copy *c, const struct realm_write *write,
    struct stored *out)
{
	struct reading g = { .ops = c->source->ops };
	struct stored_source source = {
		.next = next_read, .arg = &g, .length = c->len, .algo = c->algo
	};
	int err = ERR_OK;

	if (c->len > 0)
		err =
		    g.ops->reader_new(c->source, c->form, c->from, c->len, c->customer, &g.reader);
	if (err == ERR_OK)
		err = stored_from(r, &source, write, out);
	if (g.reader != NULL)
		g.ops->reader_free(g.reader);
	return err;
}

SUSPENDS void
stored_drop(struct request *r, struct stored *s)
{
	if (s->form.len > 0)
		r->bucket->ops->drop(r->bucket, buf_bytes(&s->form));
	buf_reset(&s->form);
}

/* ---- telling ---- */

static const char *
value_text(const struct checksum *c, unsigned parts, char text[SUM_TEXT_MAX])
{
	return sum_text(
	    (enum sum_algo)c->algorithm, c->value, c->type == CHECKSUM_COMPOSITE ? parts : 0, text);
}

int
reply_checksum(struct request *r, const struct checksum *c, unsigned parts)
{
	char text[SUM_TEXT_MAX];

	if (c->algorithm == CHECKSUM_NONE)
		return ERR_OK;
	return reply_header(r, sum_header((enum sum_algo)c->algorithm), value_text(c, parts, text));
}

int
reply_stored_checksum(struct request *r, const struct checksum *c)
{
	int err = reply_checksum(r, c, 0);

	if (err == ERR_OK && c->algorithm != CHECKSUM_NONE)
		err = reply_header(r, "x-amz-checksum-type", "FULL_OBJECT");
	return err;
}

void
xml_put_checksum(struct xml *x, const struct checksum *c, unsigned parts)
{
	char text[SUM_TEXT_MAX];

	if (c->algorithm != CHECKSUM_NONE)
		xml_put(x, sum_element((enum sum_algo)c->algorithm), value_text(c, parts, text));
}

void
xml_put_checksum_kind(struct xml *x, const struct checksum *c)
{
	if (c->algorithm == CHECKSUM_NONE)
		return;
	xml_put(x, "ChecksumAlgorithm", sum_name((enum sum_algo)c->algorithm));
	xml_put(x, "ChecksumType", sum_type_name((enum sum_type)c->type));
}
