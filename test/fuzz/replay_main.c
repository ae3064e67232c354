/*
 * Runs a fuzz target over files, with any compiler: every file of the directories named on the
 * command line goes through LLVMFuzzerTestOneInput once. A target reports a broken promise by
 * aborting, which the caller sees as a signal; what main itself can fail at (an unreadable file,
 * a directory without inputs) counts as a failure, so that an empty corpus never passes.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_BYTES_MAX (16 << 20) /* a corpus holds small inputs; more is a mistake */
#define PATH_BYTES_MAX  4096

struct tally {
	unsigned passed;
	unsigned failed;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The whole file in a block of exactly its size, so that sanitizers see every overread. */
static uint8_t *
file_read(const char *path, size_t *size)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = NULL;
	long end;

	if (f == NULL)
		return NULL;
	if (fseek(f, 0, SEEK_END) != 0 || (end = ftell(f)) < 0 || end > INPUT_BYTES_MAX ||
	    fseek(f, 0, SEEK_SET) != 0)
		goto done;
	data = malloc(end > 0 ? (size_t)end : 1);
	if (data == NULL)
		goto done;
	if (fread(data, 1, (size_t)end, f) != (size_t)end) {
		free(data);
		data = NULL;
		goto done;
	}
	*size = (size_t)end;
done:
	fclose(f);
	return data;
}

static void
input_run(const char *path, struct tally *tally)
{
	size_t size = 0;
	uint8_t *data = file_read(path, &size);

	if (data == NULL) {
		printf("%s: cannot read\n", path);
		tally->failed++;
		return;
	}
	/* Said before the run: an abort leaves the culprit's name as the last line. */
	printf("%s (%zu bytes)\n", path, size);
	fflush(stdout);
	(void)LLVMFuzzerTestOneInput(data, size);
	tally->passed++;
	free(data);
}

static void
directory_run(const char *dir, struct tally *tally)
{
	struct dirent **names;
	int count = scandir(dir, &names, NULL, alphasort);

	if (count < 0) {
		printf("%s: %s\n", dir, strerror(errno));
		tally->failed++;
		return;
	}
	for (int i = 0; i < count; i++) {
		char path[PATH_BYTES_MAX];
		struct stat st;
		int len = snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);

		if (len > 0 && (size_t)len < sizeof(path) && names[i]->d_name[0] != '.' &&
		    stat(path, &st) == 0 && S_ISREG(st.st_mode))
			input_run(path, tally);
		free(names[i]);
	}
	free(names);
}

int
main(int argc, char **argv)
{
	struct tally total = { 0, 0 };

	for (int i = 1; i < argc; i++) {
		struct tally dir = { 0, 0 };

		directory_run(argv[i], &dir);
		if (dir.passed + dir.failed == 0) {
			printf("%s: no inputs\n", argv[i]);
			dir.failed++;
		}
		total.passed += dir.passed;
		total.failed += dir.failed;
	}
	if (argc < 2) {
		fprintf(stderr, "usage: %s DIRECTORY...\n", argv[0]);
		return 2;
	}
	printf("%u passed, %u failed\n", total.passed, total.failed);
	return total.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
