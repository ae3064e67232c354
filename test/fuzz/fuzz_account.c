/*
 * Account files: what loads without a passphrase saves to the same bytes. A sealed one is never
 * opened here (each try would cost an Argon2id): all that comes before that is.
 */
#include "object/account.h"
#include "overlay/base/buf.h"
#include "overlay/base/err.h"
#include "sim/disk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t random[40] = { 0 };
	struct sim_disk *sim = sim_disk_new(&(struct sim_disk_opts){ .seed = 1 });
	struct disk *d = sim_disk_base(sim);
	struct account a;
	struct buf again;
	int err;

	must(crypto_init() == ERR_OK);
	must(disk_write_file(d, "a", bytes_of(data, size)) == ERR_OK);
	err = account_load(d, "a", NULL, &a);
	must(err == ERR_OK || err == ERR_CORRUPT || err == ERR_VERSION || err == ERR_AUTH);
	must(err != ERR_AUTH || account_needs_passphrase(d, "a"));
	if (err == ERR_OK) {
		must(account_save(d, "b", &a, NULL, random) == ERR_OK);
		buf_init(&again, 4096);
		must(disk_read_file(d, "b", &again) == ERR_OK);
		must(again.len == size && memcmp(again.data, data, size) == 0);
		buf_wipe(&again);
	}
	sim_disk_free(sim);
	return 0;
}
