/* What cp, mv and sync are to do, and what sync finds in its place already. */
#ifndef CMD_COPY_LIST_H
#define CMD_COPY_LIST_H

#include "cmd/transfer.h"

struct copy_list {
	const char *command;
	bool tree, syncs;
	const char *from, *to; /* as they were given */
	bool from_bucket, to_bucket;
	struct bucket_url source, target;
	struct transfer transfer; /* gets the jobs */
	struct transfer there;    /* sync: what is there; only the list is used */
	/* Private. */
	bool to_directory, looking;
	size_t root; /* letters of the path, or the key, that are no part of the name */
};

/*
 * Files, and what is at a file target; before the loop: they block. What is below and cannot be
 * listed is told, and counted in transfer.failed; so is an object that is fit for no file.
 */
/* ERR_INVALID: a tree was wanted, and it is a file; ERR_STATE: the other way round. */
int copy_list_files(struct copy_list *a);
int copy_list_target(struct copy_list *a);
/* Objects; the buckets are in a->transfer. */
SUSPENDS int copy_list_objects(struct copy_list *a);
/* A job whose target is a source, its own or another's: in whatever order they run, something would
 * be lost. NULL: none. */
const struct transfer_job *copy_list_overlap(const struct copy_list *a);
SUSPENDS int copy_list_there(struct copy_list *a);
/* Leaves only jobs whose target is another one, or older; notes in `there` what is wanted. */
void copy_list_leave_same(struct copy_list *a);

#endif
