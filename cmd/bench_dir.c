/*
 * The directory of a measurement, tens of GB at times, and who sees to it that it goes: the
 * measurement runs in a child, whose peers die with it, and the parent removes the directory when
 * the child has ended, of itself or because somebody has pressed Ctrl-C.
 */
#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/bench.h"
#include "cmd/command.h"
#include "cmd/dirs.h"
#include "cmd/say.h"

/* Peers that were killed may write for a moment more. */
#define REMOVE_TRIES 20
#define REMOVE_MS    100

int
bench_dir_make(struct bench *b)
{
	char template[PATH_BYTES_MAX];
	int err = dirs_path(b->place, "skerry-bench.XXXXXX", template);

	if (err != ERR_OK)
		return err;
	if (mkdtemp(template) == NULL)
		return err_from_errno(errno);
	memcpy(b->dir, template, sizeof(b->dir));
	return ERR_OK;
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

/* Only below the directory that bench_dir_make made; links are not followed. */
static void
dir_remove(const struct bench *b)
{
	for (int i = 0; i < REMOVE_TRIES; i++) {
		if (nftw(b->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0)
			return;
		(void)poll(NULL, 0, REMOVE_MS);
	}
	say_error(b->command, "cannot remove %s: %s", b->dir, strerror(errno));
}

int
bench_dir_empty(const struct bench *b)
{
	dir_remove(b);
	return mkdir(b->dir, 0700) == 0 ? ERR_OK : err_from_errno(errno);
}

/* ---- who looks after it ---- */

static _Noreturn void
measure(struct bench *b, int (*run)(struct bench *b), const sigset_t *mask, pid_t parent)
{
	int err = ERR_CANCELED;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 && getppid() == parent &&
	    sigprocmask(SIG_SETMASK, mask, NULL) == 0)
		err = run(b);
	if (err != ERR_OK && !b->told)
		say_error(b->command, "cannot measure in %s: %s", b->place, err_text(err));
	(void)fflush(stdout);
	_exit(err == ERR_OK ? EXIT_OK : EXIT_FAILED);
}

/* The child's status; *ended_by: a signal that asked us to end, and the child was killed for. */
static int
wait_child(pid_t child, const sigset_t *set, int *ended_by)
{
	int sig, status = 0;
	pid_t pid = 0;

	while (pid == 0) {
		if (sigwait(set, &sig) != 0)
			sig = SIGTERM;
		if (sig != SIGCHLD) {
			*ended_by = sig;
			(void)kill(child, SIGKILL);
			(void)waitpid(child, &status, 0);
			break;
		}
		pid = waitpid(child, &status, WNOHANG);
	}
	return status;
}

/* As the signal's sender expects of us. */
static void
die_of(int sig, const sigset_t *mask)
{
	(void)signal(sig, SIG_DFL);
	(void)raise(sig);
	(void)sigprocmask(SIG_SETMASK, mask, NULL);
}

int
bench_dir_guard(struct bench *b, int (*run)(struct bench *b))
{
	sigset_t set, mask;
	pid_t child, parent = getpid();
	int status = 0, ended_by = 0;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &set, &mask);
	child = fork();
	if (child == 0)
		measure(b, run, &mask, parent);
	if (child > 0)
		status = wait_child(child, &set, &ended_by);
	else
		say_error(b->command, "cannot start a process: %s", strerror(errno));
	dir_remove(b);
	if (ended_by != 0)
		die_of(ended_by, &mask);
	(void)sigprocmask(SIG_SETMASK, &mask, NULL);
	return child > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILED;
}
