/*
 * Between fork and exec only calls that are safe there: other threads of the parent may have held
 * any lock. The signal on the parent's death is asked for first and the parent looked at
 * afterwards, so that a parent that died in between is noticed. A child is no member of the
 * parent's process group: Ctrl-C on a terminal asks the parent alone, which ends its children in
 * order.
 */
#include "cmd/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_NOT_RUN 127 /* as shells have it */

bool
spawn_self(char out[PATH_BYTES_MAX])
{
	ssize_t n = readlink("/proc/self/exe", out, PATH_BYTES_MAX - 1);

	if (n < 0)
		return false;
	out[n] = '\0';
	return true;
}

static _Noreturn void
child(const struct spawn_opts *o, pid_t parent)
{
	int fds[3] = { o->in, o->out, o->err };

	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != parent ||
	    setpgid(0, 0) != 0)
		_exit(EXIT_NOT_RUN);
	(void)signal(SIGPIPE, SIG_DFL);
	/* Above 2 first, so that none is overwritten before it was used. */
	for (int i = 0; i < 3; i++) {
		if (fds[i] < 0)
			fds[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
		fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
		if (fds[i] < 0)
			_exit(EXIT_NOT_RUN);
	}
	for (int i = 0; i < 3; i++) {
		if (dup2(fds[i], i) < 0)
			_exit(EXIT_NOT_RUN);
	}
	(void)execv(o->program, (char *const *)(void *)(uintptr_t)o->argv);
	_exit(EXIT_NOT_RUN);
}

pid_t
spawn(const struct spawn_opts *opts)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0)
		child(opts, parent);
	return pid;
}

const char *
spawn_ended(int status, char out[SPAWN_ENDED_MAX])
{
	if (WIFSIGNALED(status))
		(void)snprintf(out, SPAWN_ENDED_MAX, "was killed by signal %d", WTERMSIG(status));
	else
		(void)snprintf(out, SPAWN_ENDED_MAX, "ended with code %d", WEXITSTATUS(status));
	return out;
}
