/* Walks the segment files as the store wrote them and lets one bit per leaf of payload rot. */
#include "sim/spoil.h"

#include <stdio.h>

#include "storage/segment.h"

#define BYTE_AT 1234 /* anywhere: a leaf's hash covers all of it */

static int
read_block(struct sim_disk *d, const char *path, uint64_t offset, uint8_t block[SEGMENT_BLOCK])
{
	struct file *f;
	size_t got;
	int err = disk_open(sim_disk_base(d), path, FILE_READ, &f);

	if (err != ERR_OK)
		return err;
	err = file_read(f, offset, block, SEGMENT_BLOCK, &got);
	file_close(f);
	return err == ERR_OK && got < SEGMENT_BLOCK ? ERR_END : err;
}

struct spoil {
	struct sim_disk *disk;
	const char *dir;
	size_t spoiled;
};

static int
spoil_segment(void *arg, const char *name)
{
	struct spoil *s = arg;
	struct segment_header segment;
	struct extent_header extent;
	uint8_t block[SEGMENT_BLOCK];
	uint16_t version;
	char path[256];
	struct place at = { .offset = SEGMENT_FIRST_EXTENT };

	snprintf(path, sizeof(path), "%s/%s", s->dir, name);
	if (read_block(s->disk, path, 0, block) != ERR_OK ||
	    segment_header_unpack(block, &segment, &version) != ERR_OK)
		return ERR_OK; /* no segment */
	at.segment = segment.segment;
	while (
	    at.offset < segment.bytes && read_block(s->disk, path, at.offset, block) == ERR_OK &&
	    extent_header_unpack(block, at, segment.generation, segment.bytes, &extent) == ERR_OK) {
		for (uint64_t leaf = 0; extent.kind == EXTENT_SHARD && leaf < extent.payload_bytes;
		     leaf += LEAF_BYTES) {
			uint64_t byte = leaf + MIN(BYTE_AT, extent.payload_bytes - leaf - 1);

			s->spoiled += sim_disk_rot(s->disk, path, at.offset + SEGMENT_BLOCK + byte,
					  3) == ERR_OK;
		}
		at.offset += extent.bytes;
	}
	return ERR_OK;
}

size_t
spoil_shards(struct sim_disk *d, const char *dir)
{
	struct spoil s = { d, dir, 0 };

	/* A disk that does not answer keeps what it has. */
	(void)disk_list(sim_disk_base(d), dir, spoil_segment, &s);
	return s.spoiled;
}
