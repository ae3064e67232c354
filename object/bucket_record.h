/*
 * What the account remembers of one bucket, by its name. Pure; layout: doc/disk.md.
 */
#ifndef OBJECT_BUCKET_RECORD_H
#define OBJECT_BUCKET_RECORD_H

#include "object/bucket_keys.h"
#include "object/bucket_location.h"
#include "storage/charter.h"

#define BUCKET_NAME_MAX 63

enum bucket_state {
	BUCKET_FOUNDING, /* its register may exist; who finds this goes on with it */
	BUCKET_LIVE,
	BUCKET_GONE, /* deleted; what it had is let go of a day later */
};

struct bucket_record { /* secret: bucket_record_wipe */
	uint8_t state;
	uint64_t created_ms; /* of state GONE: when it was deleted */
	struct bucket_seed seed;
	struct bucket_location location;
	struct charter charter; /* as it was founded; bucket and owner are in it */
};

/*
 * As S3 says: 3 to 63 of a-z 0-9 . -, begins and ends with a letter or a digit, no two dots
 * together, not like an IP address, without S3's reserved prefixes and suffixes.
 */
bool bucket_name_valid(const char *name, size_t len);

#define BUCKET_RECORD_BYTES_MAX                                                                    \
	(15 + 1 + 8 + 16 + 32 + 1 + BUCKET_LOCATION_TEXT + CHARTER_BYTES_MAX)
size_t bucket_record_pack(
    const struct bucket_record *r, struct network_id net, uint8_t out[BUCKET_RECORD_BYTES_MAX]);
/* ERR_VERSION, ERR_CORRUPT; the charter's errors. */
int bucket_record_unpack(struct bytes in, struct network_id net, struct bucket_record *out);
void bucket_record_wipe(struct bucket_record *r);

#endif
