/* The multipart upload that a request names by its key and uploadId. */
#ifndef GATEWAY_UPLOAD_REQUEST_H
#define GATEWAY_UPLOAD_REQUEST_H

#include "gateway/request.h"
#include "object/upload.h"

struct upload_request {
	struct version id;
	struct upload upload;
	struct buf value; /* what upload lends from */
	struct key customer;
	bool has_customer;
};
/* REFUSAL_NO_SUCH_UPLOAD. fini in any case. */
SUSPENDS int upload_request_open(struct request *r, struct upload_request *u);
void upload_request_fini(struct upload_request *u);
/* The customer key of SSE-C, which must be the one that the upload was begun with. */
SUSPENDS int upload_request_customer(struct request *r, struct upload_request *u);
/* Takes away parts that nothing names any more. */
SUSPENDS void upload_request_sweep(struct request *r);

#endif
