/*
 * Errors become text and errno values become errors. Nothing here can fail;
 * must_failed() is where a broken promise of our own code ends the process.
 */
#include "overlay/base/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

const char *
err_text(int err)
{
	switch (err) {
#define X(code, name, text)                                                                        \
	case (code):                                                                               \
		return text;
		ERR_LIST(X)
#undef X
	default:
		return "unknown error";
	}
}

const char *
err_name(int err)
{
	switch (err) {
#define X(code, name, text)                                                                        \
	case (code):                                                                               \
		return #name;
		ERR_LIST(X)
#undef X
	default:
		return "UNKNOWN";
	}
}

int
err_from_errno(int errnum)
{
	switch (errnum) {
	case 0:
		return ERR_OK;
	case ENOMEM:
		return ERR_NOMEM;
	case EINVAL:
	case EBADF:
	case EISDIR:
	case ENOTDIR:
		return ERR_INVALID;
	case E2BIG:
	case EFBIG:
	case EMSGSIZE:
	case ENAMETOOLONG:
		return ERR_TOO_BIG;
	case ETIMEDOUT:
		return ERR_TIMEOUT;
	case ECANCELED:
		return ERR_CANCELED;
	case EPIPE:
	case ECONNRESET:
	case ECONNABORTED:
	case ENOTCONN:
		return ERR_CLOSED;
	case ECONNREFUSED:
		return ERR_REFUSED;
	case EAGAIN:
	case EBUSY:
	case ENOBUFS:
		return ERR_BUSY;
	case EMFILE:
	case ENFILE:
		return ERR_FULL;
	case ENOENT:
		return ERR_NOT_FOUND;
	case EEXIST:
	case ENOTEMPTY:
	case EADDRINUSE:
		return ERR_EXISTS;
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENETDOWN:
		return ERR_UNREACHABLE;
	case ENOSPC:
	case EDQUOT:
		return ERR_NO_SPACE;
	case EACCES:
	case EPERM:
	case EROFS:
		return ERR_PERMISSION;
	case ENOSYS:
	case EOPNOTSUPP:
	case EAFNOSUPPORT:
	case EADDRNOTAVAIL: /* an address that this machine does not have */
		return ERR_UNSUPPORTED;
	default:
		return ERR_IO;
	}
}

int
err_foreign(int status)
{
	switch (status) {
	case ERR_NOMEM:
	case ERR_TIMEOUT:
	case ERR_CANCELED:
	case ERR_CLOSED:
		return ERR_BUSY;
	default:
		/* UNKNOWN is said of an own write; behind it is what later versions say. */
		return status > ERR_OK || status <= ERR_UNKNOWN ? ERR_REFUSED : status;
	}
}

_Noreturn void
must_failed(const char *file, int line, const char *cond)
{
	fprintf(stderr, "%s:%d: broken promise: %s\n", file, line, cond);
	abort();
}
