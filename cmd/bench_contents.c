/*
 * Contents of a bucket, measured beside files: a child of ours is a client of the network, reads
 * the input in pieces as they come from an HTTP client and writes them as a content; another one
 * reads that and writes the output. What the entry of a bucket would keep lies in the file of the
 * link.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/bench.h"
#include "cmd/client.h"
#include "cmd/say.h"
#include "object/content_read.h"
#include "object/content_write.h"
#include "object/lease_signing.h"

#define DISK_PIECE MIB(1)
#define HTTP_PIECE KIB(64) /* what a server has at once */

struct content_run {
	struct bench_net *net;
	int in, out;
	struct memory_budget memory;
	struct content content;
};

/* ---- blocking work, in workers ---- */

struct io_job {
	int fd;
	uint8_t *data;
	size_t len, done;
};

static int
read_piece(void *arg)
{
	struct io_job *j = arg;
	ssize_t n;

	for (; j->done < j->len; j->done += (size_t)n) {
		n = read(j->fd, j->data + j->done, j->len - j->done);
		if (n < 0)
			return err_from_errno(errno);
		if (n == 0)
			break;
	}
	return ERR_OK;
}

static int
write_piece(void *arg)
{
	struct io_job *j = arg;

	for (ssize_t n; j->done < j->len; j->done += (size_t)n) {
		n = write(j->fd, j->data + j->done, j->len - j->done);
		if (n <= 0)
			return err_from_errno(errno);
	}
	return ERR_OK;
}

/* ---- writing ---- */

static SUSPENDS int
write_all(struct client *c, struct content_run *x, struct content_writer *w)
{
	uint8_t *piece = malloc(DISK_PIECE);
	int err = piece == NULL ? ERR_NOMEM : ERR_OK;

	while (err == ERR_OK) {
		struct io_job job = { .fd = x->in, .data = piece, .len = DISK_PIECE };

		err = env_offload(c->env, WORK_DISK, read_piece, &job, DISK_PIECE);
		for (size_t at = 0; err == ERR_OK && at < job.done; at += HTTP_PIECE)
			err =
			    content_write(w, bytes_of(piece + at, MIN(job.done - at, HTTP_PIECE)));
		if (job.done < job.len)
			break;
	}
	free(piece);
	return err;
}

static SUSPENDS int
write_content(struct client *c, struct content_run *x)
{
	static const struct key secret = { { 1 } };
	struct lease_signing signing;
	struct content_write_opts opts = {
		.files = c->files, .memory = &x->memory, .bytes = x->net->input_bytes
	};
	struct content_writer *w;
	int err = code_parse(x->net->code, &opts.placing.code);

	lease_signing_bucket(&signing, c->env, c->net, &secret, NULL, NULL);
	opts.placing.signer = lease_signing_signer(&signing);
	if (err == ERR_OK)
		err = content_writer_new(&opts, &w);
	if (err != ERR_OK)
		return err;
	err = write_all(c, x, w);
	if (err == ERR_OK)
		err = content_finish(w, &x->content);
	content_writer_free(w);
	crypto_wipe(&signing, sizeof(signing));
	return err;
}

static SUSPENDS int
write_task(struct client *c, void *arg)
{
	struct content_run *x = arg;
	struct io_job job = { .fd = x->out };
	struct buf form;
	int err;

	budget_init(&x->memory, c->env, 0);
	buf_init(&form, CONTENT_FORM_MAX);
	err = write_content(c, x);
	budget_fini(&x->memory);
	if (err == ERR_OK)
		err = content_pack(&x->content, &form);
	if (err == ERR_OK) {
		job.data = form.data;
		job.len = form.len;
		err = env_offload(c->env, WORK_DISK, write_piece, &job, WORK_INLINE_MAX);
	}
	buf_wipe(&form);
	if (err != ERR_OK)
		say_error(c->command, "a content is not written: %s", err_text(err));
	return client_exit_code(err);
}

/* ---- reading ---- */

static SUSPENDS int
read_content(struct client *c, struct content_run *x)
{
	struct content_read_opts opts = { .files = c->files,
		.memory = &x->memory,
		.content = &x->content,
		.len = x->content.bytes };
	struct content_reader *r;
	struct bytes piece;
	int err = content_reader_new(&opts, &r);

	if (err != ERR_OK)
		return err;
	while ((err = content_read(r, &piece)) == ERR_OK) {
		struct io_job job = {
			.fd = x->out, .data = (uint8_t *)(uintptr_t)piece.data, .len = piece.len
		};

		err = env_offload(c->env, WORK_DISK, write_piece, &job, piece.len);
		if (err != ERR_OK)
			break;
	}
	content_reader_free(r);
	return err == ERR_END ? ERR_OK : err;
}

static SUSPENDS int
read_task(struct client *c, void *arg)
{
	struct content_run *x = arg;
	uint8_t *form = malloc(CONTENT_FORM_MAX);
	struct io_job job = { .fd = x->in, .data = form, .len = CONTENT_FORM_MAX };
	int err = form == NULL ? ERR_NOMEM
			       : env_offload(c->env, WORK_DISK, read_piece, &job, WORK_INLINE_MAX);

	if (err == ERR_OK)
		err = content_unpack(bytes_of(form, job.done), &x->content);
	if (err == ERR_OK) {
		budget_init(&x->memory, c->env, 0);
		err = read_content(c, x);
		budget_fini(&x->memory);
	}
	free(form);
	if (err != ERR_OK)
		say_error(c->command, "a content is not read: %s", err_text(err));
	return client_exit_code(err);
}

/* ---- children ---- */

struct start {
	struct content_run *work;
	int (*run)(struct client *c, void *arg);
};

/* No thread of ours runs yet, so the child is a whole process. */
static pid_t
start_child(void *arg)
{
	const struct start *s = arg;
	struct client_options options = CLIENT_OPTIONS_DEFAULT;
	struct client_work work = { .command = s->work->net->b->command,
		.options = &options,
		.run = s->run,
		.arg = s->work };
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	options.dir = s->work->net->net;
	options.quiet = true;
	_exit(client_run(&work));
}

static int
timed(struct bench_net *w, int (*run)(struct client *c, void *arg), const char *in, const char *out,
    struct bench_run *r)
{
	struct content_run x = { .net = w,
		.in = open(in, O_RDONLY | O_CLOEXEC),
		.out = open(out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) };
	struct start s = { &x, run };
	int err = x.in < 0 || x.out < 0 ? err_from_errno(errno) : ERR_OK;

	content_init(&x.content);
	if (err == ERR_OK)
		err = bench_timed(w, start_child, &s, r);
	if (x.in >= 0)
		(void)close(x.in);
	if (x.out >= 0)
		(void)close(x.out);
	content_fini(&x.content);
	return err;
}

int
bench_write_once(struct bench_net *w, struct bench_run *r)
{
	return timed(w, write_task, w->input, w->link, r);
}

int
bench_read_once(struct bench_net *w, struct bench_run *r)
{
	return timed(w, read_task, w->link, w->output, r);
}
