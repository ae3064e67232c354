#include "cmd/recovered.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/buckets.h"
#include "cmd/json.h"
#include "cmd/say.h"

bool
recovered_confirm(const char *command, const char *what, bool yes)
{
	char line[16] = "";

	if (yes)
		return true;
	if (isatty(STDIN_FILENO) != 1) {
		say_error(command, "new anchors lose what nobody shows any more; say --yes");
		return false;
	}
	say_note("%s gets new anchors. Changes that only the lost ones knew of are gone for good,\n"
		 "also if those come back. Go on? Type yes:",
	    what);
	if (fgets(line, sizeof(line), stdin) != NULL && strcmp(line, "yes\n") == 0)
		return true;
	say_error(command, "nothing was done");
	return false;
}

static int
tell_machines(const char *bucket, const struct cloud_recovered *r)
{
	struct json_value *o = json_make_object();

	if (bucket != NULL)
		json_put_text(o, "bucket", bucket);
	json_put_number(o, "epoch", r->epoch);
	json_put_number(o, "seq", r->seq);
	json_put_number(o, "found_seq", r->found_seq);
	json_put_number(o, "safe_seq", r->safe_seq);
	json_put_number(o, "anchors", r->anchors);
	json_put_number(o, "answered", r->answered);
	json_put_text(o, "source", r->recorded ? "record" : "anchor");
	return json_say(o);
}

int
recovered_tell(bool json, const char *bucket, const struct cloud_recovered *r)
{
	if (json)
		return tell_machines(bucket, r);
	if (bucket != NULL)
		printf("bucket      %s\n", bucket);
	else
		printf("account     its list of buckets and access keys\n");
	printf("epoch       %" PRIu64 " begins with change %" PRIu64 "\n", r->epoch, r->seq);
	printf("found       change %" PRIu64 ", %s; %u of %u anchors answered\n", r->found_seq,
	    r->recorded ? "by the record in the network" : "with an anchor", r->answered,
	    r->anchors);
	if (r->safe_seq < r->found_seq)
		printf("lost        what changes %" PRIu64 " to %" PRIu64
		       " wrote: only anchors had it\n",
		    r->safe_seq + 1, r->found_seq);
	printf("may be lost whatever was written after change %" PRIu64 "\n", r->found_seq);
	return fflush(stdout) == 0 ? ERR_OK : ERR_IO;
}

int
recovered_fail(const struct client *c, int err, const char *what, const struct cloud_recovered *r)
{
	switch (err) {
	case ERR_EXISTS:
		say_error(c->command, "%u of %u anchors answer: there is nothing to recover",
		    r->answered, r->anchors);
		break;
	case ERR_BUSY:
		say_error(
		    c->command, "the anchors of %s are changing just now: try again later", what);
		break;
	default:
		return buckets_fail(c, err, "recover %s", what);
	}
	return client_exit_code(err);
}
