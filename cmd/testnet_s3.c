/*
 * A test network's S3 gateway: another child, which serves two accounts. It tells its address and
 * keys in a line of JSON, which is passed on.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/dirs.h"
#include "cmd/init.h"
#include "cmd/say.h"
#include "cmd/spawn.h"
#include "cmd/testnet.h"

#define SECOND_ACCOUNT                                                                             \
	"account-2" /* in DIR: a directory with an account in it, and nothing else                 \
		     */
#define READY_TIMEOUT                                                                              \
	SECONDS(60) /* two registers are founded on a machine that is busy starting                \
		     */
#define POLL_INTERVAL  MILLISECONDS(20)
#define LINE_MAX_BYTES KIB(16)
#define LOG_FILE       "gateway.log"

int
testnet_s3_prepare(struct testnet *t)
{
	char dir[PATH_BYTES_MAX], path[PATH_BYTES_MAX];
	struct account account;
	bool made;
	int err = dirs_path(t->dir, SECOND_ACCOUNT, dir);

	if (err == ERR_OK)
		err = dirs_make(dir, &made);
	if (err == ERR_OK)
		err = dirs_path(dir, DIRS_ACCOUNT, path);
	if (err == ERR_OK && !dirs_exists(path)) {
		env_random(t->env, account.seed.b, sizeof(account.seed.b));
		err = init_account(dir, t->env, &account, "");
		account_wipe(&account);
	}
	if (err != ERR_OK)
		say_error(
		    t->command, "cannot write %s/%s: %s", t->dir, SECOND_ACCOUNT, err_text(err));
	return err;
}

static int
start(struct testnet *t, int out)
{
	char second[PATH_BYTES_MAX], log[PATH_BYTES_MAX], listen[32];
	const char *argv[] = { t->program, "gateway", "--dir", t->dir, "--account", second,
		"--name", "alice", "--name", "bob", "--listen", listen, "--domain", "localhost",
		"--make-keys", "--json", t->lifecycle_day == NULL ? NULL : "--lifecycle-day",
		t->lifecycle_day, NULL };
	struct spawn_opts opts = { .program = t->program, .argv = argv, .in = -1, .out = out };
	int err = dirs_path(t->dir, SECOND_ACCOUNT, second);

	if (err == ERR_OK)
		err = dirs_path(t->dir, LOG_FILE, log);
	if (err != ERR_OK)
		return err;
	(void)snprintf(listen, sizeof(listen), "127.0.0.1:%u", (unsigned)t->s3_port);
	opts.err = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (opts.err < 0)
		return err_from_errno(errno);
	t->s3_pid = spawn(&opts);
	err = t->s3_pid < 0 ? err_from_errno(errno) : ERR_OK;
	(void)close(opts.err);
	if (err == ERR_OK)
		t->live++;
	else
		t->s3_pid = 0;
	return err;
}

/* The child's line. It comes in one piece or several, and the child may end instead. */
static SUSPENDS int
read_line(struct testnet *t, int fd)
{
	uint64_t deadline = env_now(t->env) + READY_TIMEOUT;
	char piece[1024];

	while (env_now(t->env) < deadline && !t->stopping) {
		ssize_t n = read(fd, piece, sizeof(piece));
		int err = n > 0 ? buf_append(&t->s3_line, piece, (size_t)n) : ERR_OK;

		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) || t->s3_pid == 0)
			return ERR_CLOSED;
		if (err == ERR_OK && t->s3_line.len > 0 &&
		    t->s3_line.data[t->s3_line.len - 1] == '\n') {
			t->s3_line.len--;
			return ERR_OK;
		}
		if (err == ERR_OK && n < 0)
			err = task_sleep(t->env, POLL_INTERVAL);
		if (err != ERR_OK)
			return err;
	}
	return t->stopping ? ERR_CANCELED : ERR_TIMEOUT;
}

SUSPENDS int
testnet_s3_start(struct testnet *t)
{
	int fds[2], err;

	buf_init_secret(&t->s3_line, LINE_MAX_BYTES);
	if (pipe2(fds, O_CLOEXEC) != 0)
		return err_from_errno(errno);
	err = start(t, fds[1]);
	(void)close(fds[1]);
	if (err == ERR_OK && fcntl(fds[0], F_SETFL, O_NONBLOCK) != 0)
		err = err_from_errno(errno);
	if (err == ERR_OK)
		err = read_line(t, fds[0]);
	(void)close(fds[0]);
	if (err != ERR_OK && err != ERR_CANCELED)
		say_error(t->command, "the S3 gateway did not come up (%s); its log is %s/%s",
		    err_text(err), t->dir, LOG_FILE);
	return err;
}

void
testnet_s3_reap(struct testnet *t)
{
	(void)testnet_ended(t, &t->s3_pid, "the S3 gateway", t->dir, LOG_FILE);
}
