/* The small HTTP server against a blocking client on a thread of its own: what it answers, what it
 * refuses, and its limits on places and time. */
#include "overlay/base/env_real_http.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "overlay/base/env_real.h"
#include "overlay/base/err.h"
#include "overlay/base/task.h"
#include "test/unit/suite.h"

#define TEXT_MAX 65536
#define PATIENCE SECONDS(2)

struct story {
	struct env *env;
	struct http_server *server;
	uint16_t port;
	void (*client)(struct story *s);
	atomic_bool done;
	char text[TEXT_MAX]; /* the last answer */
	int served;
};

static int
get(void *arg, const struct http_request *req, struct buf *body)
{
	struct story *s = arg;

	s->served++;
	if (strcmp(req->path, "/metrics") != 0)
		return 404;
	return buf_appendf(body, "host %s\n", req->host) == ERR_OK ? 200 : 500;
}

static double
seconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

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

/* All that comes until the end. */
static const char *
read_all(struct story *s, int fd)
{
	size_t len = 0;
	ssize_t n;

	while (len < TEXT_MAX - 1 && (n = recv(fd, s->text + len, TEXT_MAX - 1 - len, 0)) > 0)
		len += (size_t)n;
	s->text[len] = '\0';
	(void)close(fd);
	return s->text;
}

static const char *
exchange(struct story *s, const char *request)
{
	int fd = dial(s);
	size_t len = strlen(request);

	for (size_t sent = 0; sent < len;) {
		ssize_t n = send(fd, request + sent, len - sent, MSG_NOSIGNAL);

		if (n <= 0)
			break; /* refused half-way: its answer may be there all the same */
		sent += (size_t)n;
	}
	return read_all(s, fd);
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
		ck_assert_int_eq(task_sleep(s->env, MILLISECONDS(5)), ERR_OK);
	return ERR_OK;
}

static void
tell(void (*client)(struct story *s))
{
	struct story *s = calloc(1, sizeof(*s));
	struct http_opts opts = {
		.addr = { .family = ADDR_IPV4, .ip = { 127, 0, 0, 1 } },
		.content_type = "text/plain; version=0.0.4",
		.patience = PATIENCE,
		.get = get,
		.arg = s,
	};
	struct http_server *second;
	struct addr local;
	pthread_t thread;

	s->client = client;
	ck_assert_int_eq(
	    env_real_new(&(struct env_real_opts){ .cpu_threads = 1 }, &s->env), ERR_OK);
	opts.env = s->env;
	ck_assert_int_eq(http_open(&opts, &s->server), ERR_OK);
	http_local(s->server, &local);
	s->port = local.port;
	opts.addr.port = local.port;
	ck_assert_int_eq(http_open(&opts, &second), ERR_EXISTS);
	ck_assert_int_eq(pthread_create(&thread, NULL, client_thread, s), 0);
	ck_assert_int_eq(env_real_run(s->env, main_task, s), ERR_OK);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	http_close(s->server);
	env_real_free(s->env);
	free(s);
}

#define HOST "Host: localhost:9\r\n\r\n"
#define GET  "GET /metrics HTTP/1.1\r\n" HOST

static void
talks(struct story *s)
{
	static const char *const refused[] = {
		"POST /metrics HTTP/1.1\r\n" HOST,
		"PUT /metrics HTTP/1.1\r\n" HOST,
		"DELETE /metrics HTTP/1.1\r\n" HOST,
		"OPTIONS /metrics HTTP/1.1\r\n" HOST,
		"PATCH /metrics HTTP/1.1\r\n" HOST,
	};
	const char *text = exchange(s, "GET /metrics?x=1 HTTP/1.1\r\n" HOST);

	ck_assert_msg(strncmp(text, "HTTP/1.1 200 OK\r\n", 17) == 0, "%s", text);
	ck_assert_ptr_nonnull(strstr(text, "Content-Type: text/plain; version=0.0.4\r\n"));
	ck_assert_ptr_nonnull(strstr(text, "Connection: close\r\n"));
	ck_assert_ptr_nonnull(strstr(text, "\r\n\r\nhost localhost\n"));
	text = exchange(s, "POST /metrics HTTP/1.1\r\nContent-Length: 5\r\n" HOST "hello");
	ck_assert_ptr_nonnull(strstr(text, " 405 "));
	text = exchange(s, "HEAD /metrics HTTP/1.1\r\n" HOST);
	ck_assert_msg(strncmp(text, "HTTP/1.1 200 OK\r\n", 17) == 0, "%s", text);
	ck_assert_ptr_nonnull(strstr(text, "Content-Length: 15\r\n"));
	ck_assert_str_eq(strstr(text, "\r\n\r\n"), "\r\n\r\n");
	ck_assert_ptr_nonnull(strstr(exchange(s, "GET / HTTP/1.1\r\n" HOST), " 404 "));
	ck_assert_ptr_nonnull(strstr(exchange(s, "GET /metrics/ HTTP/1.1\r\n" HOST), " 404 "));
	ck_assert_ptr_nonnull(strstr(exchange(s, "GET /%6detrics HTTP/1.0\r\n\r\n"), " 200 "));
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		text = exchange(s, refused[i]);
		ck_assert_msg(strstr(text, " 405 ") != NULL, "%s: %s", refused[i], text);
		ck_assert_ptr_nonnull(strstr(text, "Allow: GET, HEAD\r\n"));
	}
}

/* Nothing of these reaches what answers. */
static void
abuses(struct story *s)
{
	static char large[3 * HTTP_REQUEST_MAX];
	int served = s->served;
	const char *text;

	ck_assert_ptr_null(strstr(exchange(s, "NONSENSE\r\n\r\n"), " 200 "));
	ck_assert_ptr_null(strstr(exchange(s, "FETCH /metrics HTTP/1.1\r\n" HOST), " 200 "));
	text = exchange(s, "POST /metrics HTTP/1.1\r\nContent-Length: 100000\r\n" HOST);
	ck_assert_ptr_null(strstr(text, " 200 "));
	text = exchange(s, "GET /metrics HTTP/1.1\r\nContent-Length: 1025\r\n" HOST "hello");
	ck_assert_ptr_null(strstr(text, " 200 "));
	(void)snprintf(large, sizeof(large), "GET /metrics HTTP/1.1\r\nX: ");
	memset(large + strlen(large), 'x', sizeof(large) - strlen(large) - 1);
	ck_assert_ptr_null(strstr(exchange(s, large), " 200 "));
	memset(large, 'y', sizeof(large) - 1);
	ck_assert_ptr_null(strstr(exchange(s, large), " 200 "));
	ck_assert_int_eq(s->served, served);
	ck_assert_ptr_nonnull(strstr(exchange(s, "GET /metrics HTTP/1.1\r\n" HOST), " 200 "));
}

/* More than there are places: the next one waits for its turn and is answered then. */
static void
fills(struct story *s)
{
	int idle[HTTP_CONNECTIONS_MAX], late;
	double from = seconds();
	struct timeval soon = { .tv_usec = 300000 };
	char byte;

	for (size_t i = 0; i < ARRAY_LEN(idle); i++)
		idle[i] = dial(s);
	(void)usleep(200000);
	late = dial(s);
	ck_assert_int_gt(send(late, GET, sizeof(GET) - 1, MSG_NOSIGNAL), 0);
	ck_assert_int_eq(setsockopt(late, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)), 0);
	ck_assert_int_lt(recv(late, &byte, 1, 0), 0);
	ck_assert_int_eq(s->served, 0);
	(void)close(idle[0]);
	soon.tv_sec = 10;
	ck_assert_int_eq(setsockopt(late, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)), 0);
	ck_assert_ptr_nonnull(strstr(read_all(s, late), " 200 "));
	ck_assert(seconds() - from < 1.9); /* before anybody's time was over */
	for (size_t i = 1; i < ARRAY_LEN(idle); i++)
		ck_assert_str_eq(read_all(s, idle[i]), "");
}

/* A byte now and then does not make its time longer. */
static void
trickles(struct story *s)
{
	double from = seconds();
	int fd = dial(s);

	while (seconds() - from < 15 && send(fd, "G", 1, MSG_NOSIGNAL) == 1)
		(void)usleep(100000);
	ck_assert(seconds() - from >= 1.9);
	ck_assert_msg(seconds() - from < 5, "%f s", seconds() - from);
	(void)close(fd);
	ck_assert_int_eq(s->served, 0);
}

START_TEST(answers_and_refuses)
{
	tell(talks);
}
END_TEST

START_TEST(takes_no_nonsense)
{
	tell(abuses);
}
END_TEST

START_TEST(has_so_many_places)
{
	tell(fills);
}
END_TEST

START_TEST(has_so_much_time)
{
	tell(trickles);
}
END_TEST

/* Closed in the middle of connections: nothing is left over. */
static void
leaves_open(struct story *s)
{
	(void)dial(s);
	ck_assert_int_gt(send(dial(s), "GET /metr", 9, MSG_NOSIGNAL), 0);
	(void)usleep(100000);
}

START_TEST(closes_with_connections_open)
{
	tell(leaves_open);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("overlay/base/env_real_http");

	suite_add(s, "http", 30, answers_and_refuses, takes_no_nonsense, has_so_many_places,
	    has_so_much_time, closes_with_connections_open, NULL);
	return suite_main(s);
}
