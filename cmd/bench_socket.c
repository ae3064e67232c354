/* Blocking TCP sockets of what is measured: a pair over loopback, whole sends, single receives. */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmd/bench.h"
#include "overlay/base/env_real.h"

int
bench_socket_pair(int out[2])
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(addr);
	bool ok = listener >= 0 && bind(listener, (struct sockaddr *)&addr, sizeof(addr)) == 0 &&
		  listen(listener, 1) == 0 &&
		  getsockname(listener, (struct sockaddr *)&addr, &len) == 0;

	if (ok) {
		out[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		ok = out[0] >= 0 && connect(out[0], (struct sockaddr *)&addr, sizeof(addr)) == 0;
	}
	if (ok) {
		out[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		ok = out[1] >= 0;
	}
	for (int i = 0; i < 2 && ok; i++)
		env_real_unpace_local(out[i]); /* as the program's own */
	int err = ok ? ERR_OK : err_from_errno(errno);

	if (listener >= 0)
		(void)close(listener);
	return err;
}

int
bench_send(int fd, const void *data, size_t len, int flags)
{
	const uint8_t *p = data;

	while (len > 0) {
		ssize_t n = send(fd, p, len, flags | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? ERR_TIMEOUT : err_from_errno(errno);
		p += n;
		len -= (size_t)n;
	}
	return ERR_OK;
}

int
bench_receive(int fd, void *out, size_t most, size_t *got)
{
	ssize_t n;

	do
		n = recv(fd, out, most, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? ERR_TIMEOUT : err_from_errno(errno);
	*got = (size_t)n;
	return n == 0 ? ERR_CLOSED : ERR_OK;
}
