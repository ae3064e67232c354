/* The HTTP server against a blocking client on a thread of its own: bodies both ways, what it
 * refuses, clients that go, wait or dawdle, and the order of its end. */
#include "gateway/web.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "overlay/base/env_real.h"
#include "test/unit/suite.h"

#define TEXT_MAX (1 << 16)
#define BIG      MIB(6)

struct story {
	struct env *env;
	struct web_server *server;
	uint16_t port;
	void (*client)(struct story *s);
	atomic_bool done;
	char text[TEXT_MAX];
	int last_err;
	size_t served, body_bytes;
	uint64_t sum;
};

static uint64_t
add(uint64_t sum, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum = sum * 31 + data[i];
	return sum;
}

static SUSPENDS void
give_big(struct story *s, struct web_request *r)
{
	uint8_t *piece = malloc(100000);
	uint64_t left = BIG;

	memset(piece, 'x', 100000);
	(void)web_reply_start(r, &(struct web_reply){ .status = 200, .length = BIG });
	while (left > 0 && s->last_err == ERR_OK) {
		size_t n = MIN(left, 100000);

		s->last_err = web_reply_write(r, bytes_of(piece, n));
		left -= n;
	}
	web_reply_end(r, s->last_err == ERR_OK);
	free(piece);
}

static SUSPENDS void
serve(void *arg, struct web_request *r)
{
	struct story *s = arg;
	struct bytes piece;
	char text[64];

	s->served++;
	s->last_err = ERR_OK;
	if (web_problem(r) != NULL) {
		(void)web_reply(r, &(struct web_reply){ .status = 400 },
		    bytes_of(web_problem(r), strlen(web_problem(r))));
		return;
	}
	if (strcmp(web_target(r), "/refuse") == 0) {
		(void)web_reply(r, &(struct web_reply){ .status = 403 }, bytes_of("no", 2));
		return;
	}
	if (strcmp(web_target(r), "/big") == 0) {
		give_big(s, r);
		return;
	}
	if (strcmp(web_target(r), "/wait") == 0) {
		s->last_err = task_sleep(s->env, SECONDS(60));
		return;
	}
	s->body_bytes = 0;
	s->sum = 0;
	while ((s->last_err = web_body_read(r, &piece)) == ERR_OK) {
		s->body_bytes += piece.len;
		s->sum = add(s->sum, piece.data, piece.len);
		(void)task_yield(s->env);
	}
	(void)snprintf(
	    text, sizeof(text), "%s %s %zu", web_method(r), web_target(r), s->body_bytes);
	(void)web_reply(r,
	    &(struct web_reply){
		.status = 200,
		.headers = (struct web_header[]){ { "X-Test", "a" } },
		.headers_count = 1,
		.length = 77,
	    },
	    bytes_of(text, strlen(text)));
}

/* ---- the client's side ---- */

static int
dial(const struct story *s)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(s->port) };
	struct timeval patience = { .tv_sec = 20 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static void
say(int fd, const char *text)
{
	size_t len = strlen(text);

	ck_assert_int_eq(send(fd, text, len, MSG_NOSIGNAL), (ssize_t)len);
}

static const char *
until(struct story *s, int fd, const char *mark)
{
	size_t len = 0;
	ssize_t n = 1;

	s->text[0] = '\0';
	while (len < TEXT_MAX - 1 && (mark == NULL || strstr(s->text, mark) == NULL) && n > 0) {
		n = recv(fd, s->text + len, TEXT_MAX - 1 - len, 0);
		len += n > 0 ? (size_t)n : 0;
		s->text[len] = '\0';
	}
	return s->text;
}

static const char *
all(struct story *s, const char *request)
{
	int fd = dial(s);

	say(fd, request);
	(void)until(s, fd, NULL);
	(void)close(fd);
	return s->text;
}

static void *
client_thread(void *arg)
{
	struct story *s = arg;

	s->client(s);
	atomic_store(&s->done, true);
	return NULL;
}

static int
main_task(void *arg)
{
	struct story *s = arg;

	while (!atomic_load(&s->done))
		ck_assert_int_eq(task_sleep(s->env, MILLISECONDS(2)), ERR_OK);
	web_close(s->server, MILLISECONDS(200));
	return ERR_OK;
}

static struct story *
tell(void (*client)(struct story *s))
{
	struct story *s = calloc(1, sizeof(*s));
	struct web_opts o = { .addr = { .family = ADDR_IPV4, .ip = { 127, 0, 0, 1 } },
		.serve = serve,
		.arg = s,
		.header_timeout = MILLISECONDS(1500) };
	struct addr local;
	pthread_t thread;

	ck_assert_int_eq(
	    env_real_new(&(struct env_real_opts){ .cpu_threads = 1 }, &s->env), ERR_OK);
	o.env = s->env;
	ck_assert_int_eq(web_open(&o, &s->server), ERR_OK);
	web_local(s->server, &local);
	s->port = local.port;
	s->client = client;
	ck_assert_int_eq(pthread_create(&thread, NULL, client_thread, s), 0);
	ck_assert_int_eq(env_real_run(s->env, main_task, s), ERR_OK);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	env_real_free(s->env);
	return s;
}

/* ---- stories ---- */

static void
client_keep_alive(struct story *s)
{
	int fd = dial(s);

	say(fd, "GET /a%2Fb?x=1&y HTTP/1.1\r\nHost: h\r\n\r\n");
	ck_assert_ptr_nonnull(strstr(until(s, fd, "GET /a%2Fb?x=1&y 0"), "X-Test: a\r\n"));
	say(fd, "PUT /b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n12");
	(void)usleep(20000);
	say(fd, "345");
	(void)until(s, fd, "PUT /b 5");
	say(fd, "POST /c HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
	(void)until(s, fd, "POST /c 0");
	say(fd, "PUT /d HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
		"chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
	(void)until(s, fd, "PUT /d 3");
	say(fd, "HEAD /e HTTP/1.1\r\nHost: h\r\n\r\n");
	ck_assert_ptr_nonnull(strstr(until(s, fd, "\r\n\r\n"), "Content-Length: 77\r\n"));
	say(fd, "DELETE /f HTTP/1.1\r\nHost: h\r\n\r\n");
	(void)until(s, fd, "DELETE /f 0");
	(void)close(fd);
}

START_TEST(one_connection_many_requests)
{
	struct story *s = tell(client_keep_alive);

	ck_assert_uint_eq(s->served, 6);
	free(s);
}
END_TEST

static void
client_upload(struct story *s)
{
	int fd = dial(s);
	uint8_t *data = malloc(BIG);

	for (size_t i = 0; i < BIG; i++)
		data[i] = (uint8_t)(i * 7 + i / 1000);
	s->sum = 0;
	say(fd, "PUT /up HTTP/1.1\r\nHost: h\r\nContent-Length: 6291456\r\n\r\n");
	for (size_t sent = 0; sent < BIG;) {
		ssize_t n = send(fd, data + sent, MIN(BIG - sent, 70001), MSG_NOSIGNAL);

		ck_assert_int_gt(n, 0);
		sent += (size_t)n;
	}
	(void)until(s, fd, "PUT /up 6291456");
	ck_assert_uint_eq(s->sum, add(0, data, BIG));
	free(data);
	(void)close(fd);
}

START_TEST(a_large_body_arrives)
{
	free(tell(client_upload));
}
END_TEST

static void
client_download(struct story *s)
{
	int fd = dial(s);
	size_t got = 0;
	ssize_t n;

	say(fd, "GET /big HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
	while ((n = recv(fd, s->text, TEXT_MAX, 0)) > 0)
		got += (size_t)n;
	ck_assert_uint_gt(got, BIG);
	(void)close(fd);
	/* One that goes in the middle. */
	fd = dial(s);
	say(fd, "GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
	(void)recv(fd, s->text, 1000, 0);
	(void)close(fd);
	for (int i = 0; i < 1000 && s->last_err == ERR_OK; i++)
		(void)usleep(2000);
	ck_assert_int_eq(s->last_err, ERR_CLOSED);
}

START_TEST(a_large_answer_and_one_that_nobody_wants)
{
	free(tell(client_download));
}
END_TEST

static void
client_expect(struct story *s)
{
	int fd = dial(s);

	say(fd, "PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
	(void)until(s, fd, "100 Continue\r\n\r\n");
	say(fd, "abc");
	(void)until(s, fd, "PUT /x 3");
	(void)close(fd);
	/* Refused before the body: no word of going on. */
	fd = dial(s);
	say(fd,
	    "PUT /refuse HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
	(void)until(s, fd, NULL);
	ck_assert_ptr_null(strstr(s->text, "100 Continue"));
	ck_assert_ptr_nonnull(strstr(s->text, " 403 "));
	(void)close(fd);
	/* Who does not ask sends it anyway: it is dropped, and the connection lives. */
	fd = dial(s);
	say(fd, "PUT /refuse HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
	(void)until(s, fd, " 403 ");
	say(fd, "GET /y HTTP/1.1\r\nHost: h\r\n\r\n");
	(void)until(s, fd, "GET /y 0");
	(void)close(fd);
}

START_TEST(a_body_is_asked_for_or_not)
{
	free(tell(client_expect));
}
END_TEST

static void
client_wrong(struct story *s)
{
	static const char *const wrong[] = {
		("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: "
		 "chunked\r\n\r\n"),
		"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
		"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
		"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n",
		"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3x\r\n\r\nabc",
		"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\nabc",
		"GET / HTTP/1.1\r\nHost: h\r\nAuthorization: a\r\nauthorization: b\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\nX-A: a\x04z\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\nX-A: \x7f\r\n\r\n",
	};
	char *huge = malloc(60000);

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		ck_assert_msg(strstr(all(s, wrong[i]), " 400 ") != NULL, "%zu: %s", i, s->text);
	(void)all(s, "GET / HTTP/1.1\r\nHost: h\r\nX-A: a\tz\r\nConnection: close\r\n\r\n");
	ck_assert_msg(strstr(s->text, " 200 ") != NULL, "%s", s->text);
	strcpy(huge, "GET / HTTP/1.1\r\nHost: h\r\nX-A: ");
	memset(huge + strlen(huge), 'a', 40000);
	strcpy(huge + 40000, "\r\n\r\n");
	ck_assert_msg(strstr(all(s, huge), " 4") != NULL, "%s", s->text);
	free(huge);
}

START_TEST(what_two_servers_could_read_differently_is_refused)
{
	free(tell(client_wrong));
}
END_TEST

static void
client_gone(struct story *s)
{
	int fd = dial(s);

	s->last_err = ERR_OK;
	say(fd, "PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\nabc");
	for (int i = 0; i < 1000 && s->served == 0; i++)
		(void)usleep(2000);
	(void)close(fd);
	for (int i = 0; i < 1000 && s->last_err == ERR_OK; i++)
		(void)usleep(2000);
	ck_assert_int_eq(s->last_err, ERR_CLOSED);
	/* One that dawdles over its headers, byte by byte. */
	fd = dial(s);
	say(fd, "GET / HT");
	for (int i = 0; i < 100 && send(fd, "T", 1, MSG_NOSIGNAL) == 1; i++)
		(void)usleep(50000);
	ck_assert_int_eq(recv(fd, s->text, 100, 0), 0);
	(void)close(fd);
}

START_TEST(a_client_that_goes_or_dawdles)
{
	free(tell(client_gone));
}
END_TEST

static void
client_open_end(struct story *s)
{
	/* An idle one, one in the middle of its header, one whose request takes too long. */
	int idle = dial(s), half = dial(s), busy = dial(s);

	say(half, "GET / HTTP/1.1\r\nHo");
	say(busy, "GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
	for (int i = 0; i < 1000 && s->served == 0; i++)
		(void)usleep(2000);
	(void)idle;
}

START_TEST(the_end_comes_in_order)
{
	struct story *s = tell(client_open_end);

	ck_assert_int_eq(s->last_err, ERR_CANCELED);
	free(s);
}
END_TEST

START_TEST(a_taken_port_is_told)
{
	struct web_opts o = { .addr = { .family = ADDR_IPV4, .ip = { 127, 0, 0, 1 } },
		.serve = serve };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t len = sizeof(sa);
	struct web_server *server;
	struct env *env;

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	ck_assert_int_eq(env_real_new(&(struct env_real_opts){ .cpu_threads = 1 }, &env), ERR_OK);
	o.env = env;
	o.addr.port = ntohs(sa.sin_port);
	ck_assert_int_eq(web_open(&o, &server), ERR_EXISTS);
	env_real_free(env);
	(void)close(fd);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("gateway/web");

	suite_add(s, "requests", 20, one_connection_many_requests, a_large_body_arrives,
	    a_large_answer_and_one_that_nobody_wants, a_body_is_asked_for_or_not, NULL);
	suite_add(s, "wrong", 20, what_two_servers_could_read_differently_is_refused,
	    a_client_that_goes_or_dawdles, NULL);
	suite_add(s, "life", 20, the_end_comes_in_order, a_taken_port_is_told, NULL);
	return suite_main(s);
}
