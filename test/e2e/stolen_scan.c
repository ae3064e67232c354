/*
 * Looks for needles in all files below some directories, byte by byte, and inside whatever of them
 * unfolds as zstd: what somebody could do who has stolen a disk and knows what to look for.
 *
 *	stolen_scan NEEDLES DIR...
 *
 * NEEDLES: lines "LABEL HEX", at least 8 bytes each. Every hit is a line "LABEL FILE OFFSET".
 *Labels that begin with "size" are hits only where three different ones lie within SIZES_NEAR
 *bytes: one number of eight bytes proves nothing, a list of them does. Exit code 0: nothing found;
 *1: found; 2: it could not look.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#define LABEL_MAX    64
#define NEEDLE_MAX   512
#define TABLE_BITS   20
#define SIZES_NEAR   4096
#define UNFOLDED_MAX (8UL << 20)
#define PATH_MAX_    4096

struct needle {
	char label[LABEL_MAX];
	uint8_t b[NEEDLE_MAX];
	size_t len;
	struct needle *next;
};

static struct needle *table[1 << TABLE_BITS];
static size_t needles, hits, files, bytes, frames;

static void
give_up(const char *what, const char *about)
{
	(void)fprintf(stderr, "stolen_scan: %s %s: %s\n", what, about, strerror(errno));
	exit(2);
}

static uint32_t
slot(const uint8_t *b)
{
	uint64_t v;

	memcpy(&v, b, sizeof(v));
	return (uint32_t)((v * 0x9e3779b97f4a7c15ULL) >> (64 - TABLE_BITS));
}

static void
add_needle(const char *label, const char *hex)
{
	struct needle *n = calloc(1, sizeof(*n));
	uint32_t at;

	if (n == NULL)
		give_up("no memory for", label);
	if (strlen(label) >= sizeof(n->label))
		give_up("too long a label:", label);
	memcpy(n->label, label, strlen(label) + 1);
	for (; n->len < NEEDLE_MAX && hex[0] != '\0' && hex[1] != '\0'; hex += 2) {
		unsigned v;

		if (sscanf(hex, "%2x", &v) != 1)
			give_up("no hexadecimal digits in", label);
		n->b[n->len++] = (uint8_t)v;
	}
	if (n->len < sizeof(uint64_t))
		give_up("too short:", label);
	at = slot(n->b);
	n->next = table[at];
	table[at] = n;
	needles++;
}

static void
read_needles(const char *path)
{
	static char line[2 * NEEDLE_MAX + LABEL_MAX + 8];
	FILE *f = fopen(path, "re");

	if (f == NULL)
		give_up("cannot read", path);
	while (fgets(line, sizeof(line), f) != NULL) {
		char *hex = strchr(line, ' ');

		line[strcspn(line, "\n")] = '\0';
		if (hex == NULL)
			give_up("no needle:", line);
		*hex = '\0';
		add_needle(line, hex + 1);
	}
	(void)fclose(f);
	if (needles == 0)
		give_up("nothing to look for in", path);
}

/* The last sizes that were seen, by which a list is known. */
struct sizes {
	const struct needle *seen[3];
	size_t at[3];
};

static bool
is_list(struct sizes *s, const struct needle *n, size_t at)
{
	for (int i = 0; i < 3; i++) {
		if (s->seen[i] == n) {
			s->at[i] = at;
			return false;
		}
	}
	memmove(&s->seen[1], &s->seen[0], 2 * sizeof(s->seen[0]));
	memmove(&s->at[1], &s->at[0], 2 * sizeof(s->at[0]));
	s->seen[0] = n;
	s->at[0] = at;
	return s->seen[2] != NULL && at - s->at[1] < SIZES_NEAR && at - s->at[2] < SIZES_NEAR;
}

static void
look(const char *path, const uint8_t *p, size_t len, size_t base)
{
	struct sizes sizes = { { NULL }, { 0 } };

	for (size_t i = 0; i + sizeof(uint64_t) <= len; i++) {
		for (const struct needle *n = table[slot(p + i)]; n != NULL; n = n->next) {
			if (n->len > len - i || memcmp(n->b, p + i, n->len) != 0)
				continue;
			if (strncmp(n->label, "size", 4) == 0 && !is_list(&sizes, n, i))
				continue;
			hits++;
			printf("%s %s %zu\n", n->label, path, base + i);
		}
	}
}

static void
look_folded(const char *path, const uint8_t *p, size_t len)
{
	static const uint8_t magic[4] = { 0x28, 0xb5, 0x2f, 0xfd };
	static uint8_t out[UNFOLDED_MAX];
	const uint8_t *at = p;

	while ((at = memmem(at, len - (size_t)(at - p), magic, sizeof(magic))) != NULL) {
		size_t left = len - (size_t)(at - p),
		       frame = ZSTD_findFrameCompressedSize(at, left);
		size_t got =
		    ZSTD_isError(frame) ? frame : ZSTD_decompress(out, sizeof(out), at, frame);

		if (!ZSTD_isError(got)) {
			frames++;
			look(path, out, got, (size_t)(at - p));
		}
		at++;
	}
}

static void
scan_file(const char *path, size_t len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t *p;

	if (fd < 0)
		give_up("cannot read", path);
	files++;
	bytes += len;
	if (len > 0) {
		p = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
		if (p == MAP_FAILED)
			give_up("cannot map", path);
		look(path, p, len, 0);
		look_folded(path, p, len);
		(void)munmap(p, len);
	}
	(void)close(fd);
}

static void
scan(const char *path)
{
	struct stat st;
	struct dirent *e;
	DIR *d;

	if (lstat(path, &st) != 0)
		give_up("cannot see", path);
	if (S_ISREG(st.st_mode))
		scan_file(path, (size_t)st.st_size);
	if (!S_ISDIR(st.st_mode))
		return;
	d = opendir(path);
	if (d == NULL)
		give_up("cannot list", path);
	while ((e = readdir(d)) != NULL) {
		char below[PATH_MAX_];

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		(void)snprintf(below, sizeof(below), "%s/%s", path, e->d_name);
		/* What the file is called is as much to be found as what is in it. */
		look(below, (const uint8_t *)e->d_name, strlen(e->d_name), 0);
		scan(below);
	}
	(void)closedir(d);
}

int
main(int argc, char **argv)
{
	if (argc < 3) {
		(void)fprintf(stderr, "usage: stolen_scan NEEDLES DIR...\n");
		return 2;
	}
	read_needles(argv[1]);
	for (int i = 2; i < argc; i++)
		scan(argv[i]);
	(void)fprintf(stderr, "%zu needles, %zu files, %zu bytes, %zu zstd frames: %zu hits\n",
	    needles, files, bytes, frames, hits);
	return hits > 0;
}
