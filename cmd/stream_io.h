/*
 * What files.h reads from and writes to: a file on disk, or a pipe. A file that is written appears
 * under its name only when it is whole: until then it is NAME.part-XXXXXXXX beside it.
 */
#ifndef CMD_STREAM_IO_H
#define CMD_STREAM_IO_H

#include "cmd/values.h"
#include "object/files.h"

/* ---- input ---- */
struct input {
	int fd;
	bool regular;
	uint64_t length; /* of a regular file, when it was opened */
	int64_t changed_s, changed_ns;
	int stop; /* an eventfd: ends a read that waits for a pipe */
};
/* path "-": standard input. errno tells why not. */
bool input_open(struct input *in, const char *path);
void input_source(struct input *in, struct file_source *out);
/* Whether the file is still the one that was opened; true for pipes. */
bool input_unchanged(const struct input *in);
/* And whether it is what the path leads to: nobody has put another in its place. */
bool input_is_at(const struct input *in, const char *path);
/* From the loop: reads that wait, now or later, fail with ERR_CANCELED. */
void input_stop(struct input *in);
void input_close(struct input *in);

/* ---- output ---- */
struct output {
	int fd;
	bool random;               /* written at offsets, by several workers */
	struct direct_out *direct; /* NULL: through the page cache */
	char path[PATH_BYTES_MAX];
	char part[PATH_BYTES_MAX + 16]; /* "": none */
};
/*
 * path NULL or "-": standard output. Otherwise the part file is made, its name from random bytes.
 * What is no regular file (a device, a named pipe) is written as it is. errno tells why not.
 */
bool output_open(struct output *out, const char *path, uint32_t random);
/* How long it will be, before the first write: a long file goes past the page cache. */
void output_expect(struct output *out, uint64_t length);
/* In workers. At offset when random, else the next bytes. ERR_CLOSED: nobody reads any more. */
int output_write(const struct output *out, uint64_t offset, const uint8_t *src, size_t len);
/*
 * Cuts to length, syncs, gives the file its name, syncs the directory. keep: ERR_EXISTS instead
 * of replacing what has that name. Blocks: WORK_DISK.
 */
int output_commit(struct output *out, uint64_t length, bool keep);
/* Removes the part file, if there is one; async-signal-safe. */
void output_abandon(struct output *out);
void output_close(struct output *out); /* abandons what was not committed */

#endif
