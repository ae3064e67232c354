/*
 * Addresses between our form and the system's, sockets bound to them, and the
 * two questions about them that are seldom asked. Lists are cut at the
 * caller's cap; what is no IP address is left out.
 */
#include "overlay/base/env_real_private.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

int
addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *out, socklen_t *len)
{
	memset(out, 0, sizeof(*out));
	if (a->family == ADDR_IPV4) {
		struct sockaddr_in *in = (struct sockaddr_in *)out;

		in->sin_family = AF_INET;
		in->sin_port = htons(a->port);
		memcpy(&in->sin_addr, a->ip, sizeof(in->sin_addr));
		*len = sizeof(*in);
		return ERR_OK;
	}
	if (a->family == ADDR_IPV6) {
		struct sockaddr_in6 *in = (struct sockaddr_in6 *)out;

		in->sin6_family = AF_INET6;
		in->sin6_port = htons(a->port);
		memcpy(&in->sin6_addr, a->ip, sizeof(in->sin6_addr));
		*len = sizeof(*in);
		return ERR_OK;
	}
	return ERR_INVALID;
}

void
addr_from_sockaddr(struct addr *out, const struct sockaddr_storage *sa)
{
	*out = (struct addr){ .family = ADDR_NONE };
	if (sa->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)sa;

		out->family = ADDR_IPV4;
		out->port = ntohs(in->sin_port);
		memcpy(out->ip, &in->sin_addr, sizeof(in->sin_addr));
	} else if (sa->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)sa;

		out->family = ADDR_IPV6;
		out->port = ntohs(in->sin6_port);
		memcpy(out->ip, &in->sin6_addr, sizeof(in->sin6_addr));
	}
}

void
addr_of_socket(int fd, struct addr *out)
{
	struct sockaddr_storage sa = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(sa);

	if (getsockname(fd, (struct sockaddr *)&sa, &len) != 0)
		sa.ss_family = AF_UNSPEC; /* a connection that broke meanwhile */
	addr_from_sockaddr(out, &sa);
}

int
addr_bind(const struct addr *bind_to, int type, int *fd)
{
	struct sockaddr_storage sa;
	socklen_t len;
	int one = 1, s, err;

	err = addr_to_sockaddr(bind_to, &sa, &len);
	if (err != ERR_OK)
		return err;
	s = socket(sa.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s < 0)
		return err_from_errno(errno);
	/* A listener must come back while old connections linger; for datagrams it would share. */
	if (type == SOCK_STREAM && setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0)
		goto fail;
	/* IPv4 has a socket of its own; otherwise mapped addresses would come in. */
	if (sa.ss_family == AF_INET6 &&
	    setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) != 0)
		goto fail;
	if (bind(s, (struct sockaddr *)&sa, len) != 0)
		goto fail;
	*fd = s;
	return ERR_OK;
fail:
	err = err_from_errno(errno);
	(void)close(s);
	return err;
}

/* ---- names ---- */

static int
err_from_gai(int gai)
{
	switch (gai) {
	case EAI_MEMORY:
		return ERR_NOMEM;
	case EAI_AGAIN:
		return ERR_TIMEOUT; /* the name server did not answer */
	case EAI_SYSTEM:
		return err_from_errno(errno);
	case EAI_FAIL:
		return ERR_IO;
	default:
		return ERR_NOT_FOUND;
	}
}

/* Adds sa unless it is no address of ours or there already; false when out is full. */
static bool
collect(const struct sockaddr *sa, uint16_t port, struct addr *out, size_t cap, size_t *n)
{
	struct sockaddr_storage copy = { .ss_family = AF_UNSPEC };
	struct addr a;

	if (*n == cap)
		return false;
	if (sa->sa_family == AF_INET)
		memcpy(&copy, sa, sizeof(struct sockaddr_in));
	else if (sa->sa_family == AF_INET6)
		memcpy(&copy, sa, sizeof(struct sockaddr_in6));
	addr_from_sockaddr(&a, &copy);
	if (a.family == ADDR_NONE)
		return true;
	a.port = port;
	for (size_t i = 0; i < *n; i++) {
		if (addr_equal(&out[i], &a))
			return true;
	}
	out[(*n)++] = a;
	return true;
}

int
addr_resolve(
    struct env *env, const char *host, uint16_t port, struct addr *out, size_t cap, size_t *count)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found;
	size_t n = 0;
	int gai;

	(void)env;
	gai = getaddrinfo(host, NULL, &hints, &found);
	if (gai != 0)
		return err_from_gai(gai);
	for (const struct addrinfo *i = found; i != NULL; i = i->ai_next) {
		if (!collect(i->ai_addr, port, out, cap, &n))
			break;
	}
	freeaddrinfo(found);
	if (n == 0)
		return ERR_NOT_FOUND;
	*count = n;
	return ERR_OK;
}

static bool
usable(const struct ifaddrs *i)
{
	if (i->ifa_addr == NULL || (i->ifa_flags & IFF_UP) == 0 ||
	    (i->ifa_flags & IFF_LOOPBACK) != 0)
		return false;
	/* A link-local address means nothing without its interface, which struct addr lacks. */
	if (i->ifa_addr->sa_family == AF_INET6) {
		struct sockaddr_in6 in;

		memcpy(&in, i->ifa_addr, sizeof(in));
		return !IN6_IS_ADDR_LINKLOCAL(&in.sin6_addr);
	}
	return i->ifa_addr->sa_family == AF_INET;
}

int
addr_local(struct env *env, struct addr *out, size_t cap, size_t *count)
{
	struct ifaddrs *all;
	size_t n = 0;

	(void)env;
	if (getifaddrs(&all) != 0)
		return err_from_errno(errno);
	for (const struct ifaddrs *i = all; i != NULL; i = i->ifa_next) {
		if (usable(i) && !collect(i->ifa_addr, 0, out, cap, &n))
			break;
	}
	freeifaddrs(all);
	*count = n;
	return ERR_OK;
}
