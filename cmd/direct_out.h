/*
 * Writing a large file past the page cache, from several workers at once: pieces of any length and
 * place become whole aligned blocks. Buffered writes of a new file cost 0.3–3 core-seconds per GB
 * on virtual machines that give idle memory back, direct ones 0.15. Every byte comes exactly once.
 */
#ifndef CMD_DIRECT_OUT_H
#define CMD_DIRECT_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct direct_out;

/*
 * For the file behind fd, which is at path and stays the caller's. NULL when it cannot be written
 * so (the file system has no O_DIRECT, or no memory): then the caller writes as usual.
 */
struct direct_out *direct_out_new(int fd, const char *path);
/* How long the file will be, before the first write: its blocks are reserved then. 0: unknown. */
void direct_out_expect(struct direct_out *d, uint64_t length);
/* Blocks; thread-safe. */
int direct_out_write(struct direct_out *d, uint64_t offset, const uint8_t *src, size_t len);
/* Writes what is left of an incomplete last block; no write is under way. */
int direct_out_finish(struct direct_out *d);
void direct_out_free(struct direct_out *d); /* NULL is accepted; wipes what it held */

#endif
