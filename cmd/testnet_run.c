/*
 * The peers' processes: started, asked over their local sockets whether they know the others,
 * stopped. A peer that ends by itself is told of and left alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/command.h"
#include "cmd/control.h"
#include "cmd/dirs.h"
#include "cmd/say.h"
#include "cmd/spawn.h"
#include "cmd/testnet.h"
#include "dht/dht.h"

#define JOIN_TIMEOUT   SECONDS(30)
#define JOIN_PER_PEER  MILLISECONDS(500) /* above some peers the machine is what takes time */
#define ASK_INTERVAL   MILLISECONDS(20)
#define STOP_PATIENCE  SECONDS(10) /* to finish syncs; killing is safe, only rude */
#define LOG_BYTES_KEPT MIB(4)      /* of former starts */
#define LAST_WORDS_MAX 256         /* of a log, told when who wrote it gives up by itself */
#define LOG_FILE       "log"

/* DIR/peer-N/log, appended to; started anew when it has grown. −1: errno. */
static int
open_log(const struct testnet_peer *p)
{
	char path[PATH_BYTES_MAX];
	struct stat st;
	int fd;

	if (dirs_path(p->dir, LOG_FILE, path) != ERR_OK) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd >= 0 && fstat(fd, &st) == 0 && (uint64_t)st.st_size > LOG_BYTES_KEPT)
		(void)!ftruncate(fd, 0);
	return fd;
}

int
testnet_start(struct testnet *t)
{
	for (size_t i = 0; i < t->peers_count; i++) {
		struct testnet_peer *p = &t->peers[i];
		const char *argv[] = { t->program, "node", "--dir", p->dir, NULL };
		struct spawn_opts opts = { .program = t->program, .argv = argv, .in = -1 };
		int log = open_log(p), err;

		if (log < 0) {
			say_error(t->command, "cannot write %s/log: %s", p->dir, strerror(errno));
			return ERR_IO;
		}
		opts.out = opts.err = log;
		p->pid = spawn(&opts);
		err = errno;
		(void)close(log);
		if (p->pid < 0) {
			p->pid = 0;
			say_error(t->command, "cannot start peer %u: %s", p->number, strerror(err));
			return ERR_IO;
		}
		t->live++;
	}
	return ERR_OK;
}

/* ": " and the last line of a log: why a child gave up, most often. Empty: nothing to tell. */
static void
last_words(const char *dir, const char *log, char out[LAST_WORDS_MAX])
{
	char path[PATH_BYTES_MAX], tail[LAST_WORDS_MAX] = "", *line;
	int fd = dirs_path(dir, log, path) == ERR_OK ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	struct stat st;
	ssize_t len = 0;

	out[0] = '\0';
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0)
		len = pread(fd, tail, sizeof(tail) - 1,
		    MAX(st.st_size - (off_t)sizeof(tail) + 1, (off_t)0));
	(void)close(fd);
	while (len > 0 && tail[len - 1] == '\n')
		tail[--len] = '\0';
	if (len <= 0)
		return;
	line = strrchr(tail, '\n');
	memcpy(out, ": ", 3);
	(void)say_clean(line != NULL ? line + 1 : tail, out + 2, LAST_WORDS_MAX - 2);
}

bool
testnet_ended(struct testnet *t, pid_t *pid, const char *who, const char *dir, const char *log)
{
	char how[SPAWN_ENDED_MAX], words[LAST_WORDS_MAX] = "";
	int status;

	if (*pid == 0 || waitpid(*pid, &status, WNOHANG) != *pid)
		return false;
	/* One that was told to stop ends with 0, or something is wrong with it. */
	t->bad_end |= t->stopping && status != 0;
	if (WIFEXITED(status) && status != 0)
		last_words(dir, log, words);
	if (!t->stopping || status != 0)
		say_note("%s (process %d) %s%s; its log is %s/%s", who, (int)*pid,
		    spawn_ended(status, how), words, dir, log);
	*pid = 0;
	t->live--;
	return true;
}

void
testnet_reap(struct testnet *t)
{
	for (size_t i = 0; i < t->peers_count; i++) {
		struct testnet_peer *p = &t->peers[i];
		char who[32];

		(void)snprintf(who, sizeof(who), "peer %u", p->number);
		if (testnet_ended(t, &p->pid, who, p->dir, LOG_FILE))
			t->failed |= !p->joined;
	}
	testnet_s3_reap(t);
	if (t->ended != NULL && t->live == 0)
		wait_wake(t->ended, ERR_OK);
}

/* Whether a peer says that it has joined and knows as many others as there are. */
static SUSPENDS bool
has_joined(struct testnet *t, const struct testnet_peer *p)
{
	uint64_t others = MIN(t->peers_count - 1, DHT_K);
	struct json_value *reply;
	const char *state;
	bool joined;

	if (control_call(t->env, p->dir, "status", NULL, &reply) != ERR_OK)
		return false;
	state = json_text(reply, "state");
	joined = state != NULL && strcmp(state, "joined") == 0 && json_flag(reply, "server") &&
		 json_number(json_child(reply, "dht"), "contacts") >= others;
	json_free(reply);
	return joined;
}

SUSPENDS int
testnet_wait_joined(struct testnet *t)
{
	uint64_t deadline = env_now(t->env) + JOIN_TIMEOUT + t->peers_count * JOIN_PER_PEER;
	size_t joined = 0;
	int err = ERR_OK;

	while (joined < t->peers_count && err == ERR_OK && !t->stopping) {
		struct testnet_peer *p = &t->peers[joined];

		p->joined = has_joined(t, p);
		if (p->joined) {
			joined++;
			continue;
		}
		if (t->failed)
			return ERR_CLOSED;
		if (env_now(t->env) > deadline) {
			say_error(t->command, "peer %u has not joined in time; its log is %s/log",
			    p->number, p->dir);
			return ERR_TIMEOUT;
		}
		err = task_sleep(t->env, ASK_INTERVAL);
	}
	return t->stopping ? ERR_CANCELED : err;
}

static void
signal_all(struct testnet *t, int signo)
{
	for (size_t i = 0; i < t->peers_count; i++) {
		if (t->peers[i].pid > 0)
			(void)kill(t->peers[i].pid, signo);
	}
}

/* Before the peers, which it needs to end in order. */
static SUSPENDS void
stop_gateway(struct testnet *t)
{
	uint64_t deadline = env_now(t->env) + STOP_PATIENCE;
	struct wait tick;

	if (t->s3_pid > 0)
		(void)kill(t->s3_pid, SIGTERM);
	while (t->s3_pid > 0 && env_now(t->env) < deadline) {
		wait_init(&tick);
		(void)wait_for(t->env, &tick, ASK_INTERVAL);
		testnet_reap(t);
	}
	if (t->s3_pid > 0)
		(void)kill(t->s3_pid, SIGKILL);
}

SUSPENDS void
testnet_stop(struct testnet *t)
{
	struct wait ended;

	t->stopping = true;
	wait_init(&ended);
	t->ended = &ended;
	stop_gateway(t);
	signal_all(t, SIGTERM);
	testnet_reap(t);
	if (wait_for(t->env, &ended, STOP_PATIENCE) == ERR_TIMEOUT) {
		signal_all(t, SIGKILL);
		(void)wait_always(t->env, &ended);
	}
	t->ended = NULL;
}
