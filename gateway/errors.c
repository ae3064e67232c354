/* The table, and which of our own errors mean what to an S3 client. */
#include "gateway/errors.h"

#include "object/refusal.h"

static const struct s3_error_info infos[] = {
#define X(name, status, message) { #name, status, message },
	S3_ERROR_LIST(X)
#undef X
};

bool
s3_error_is(int err)
{
	return err > S3_ERROR_FIRST && err < S3_ERROR_END;
}

/* A client retries 503, and should when another moment or another gateway may do better. */
static int
translate(int err)
{
	switch (err) {
	case ERR_UNREACHABLE:
	case ERR_NO_NETWORK:
	case ERR_TIMEOUT:
	case ERR_CANCELED:
	case ERR_FULL:
	case ERR_PLACEMENT:
	case ERR_QUOTA:
	case ERR_STALE:
	case ERR_UNKNOWN:
		return S3_ServiceUnavailable;
	case ERR_BUSY:
		return S3_SlowDown;
	case ERR_CLOSED:
		return S3_IncompleteBody;
	case ERR_UNSUPPORTED:
		return S3_NotImplemented;
	case ERR_LOCKED:
	case ERR_PERMISSION: /* a gateway's own right has been taken back, or never was */
		return S3_AccessDenied;
	default:
		return S3_InternalError;
	}
}

/* Of a refusal, by the name that it gives. */
static int
of_refusal(int err)
{
	/* Where clients have learnt to expect another code than the documents have. */
	const char *code = err == REFUSAL_TAGS_MANY     ? "InvalidTag"
			   : err == REFUSAL_SSE_WRONG   ? "InvalidRequest"
			   : err == REFUSAL_PART_NUMBER ? "InvalidPart"
							: refusal_code(err);

	for (size_t i = 0; i < ARRAY_LEN(infos); i++) {
		if (strcmp(infos[i].code, code) == 0)
			return S3_ERROR_FIRST + 1 + (int)i;
	}
	return S3_InternalError;
}

const struct s3_error_info *
s3_error_info(int err)
{
	if (refusal_is(err))
		err = of_refusal(err);
	if (!s3_error_is(err))
		err = translate(err);
	return &infos[err - S3_ERROR_FIRST - 1];
}
