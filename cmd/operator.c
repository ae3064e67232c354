/* One line of text each way; the seed's buffers are wiped. */
#include "cmd/operator.h"

#include <stdio.h>
#include <string.h>

#include "overlay/base/buf.h"

#define KEY_WORD  "skerry-operator-key"
#define SIG_WORD  "skerry-countersignature"
#define LINE_MAX_ 512 /* longer than either */
#define HEX(n)    (2 * (n))

static int
read_line(const char *path, char out[LINE_MAX_])
{
	struct buf b;
	int err;

	buf_init_secret(&b, LINE_MAX_ - 1);
	err = disk_read_file(disk_real(), path, &b);
	if (err == ERR_OK) {
		memcpy(out, b.data, b.len);
		out[b.len] = '\0';
		out[strcspn(out, "\r\n")] = '\0';
	}
	buf_wipe(&b);
	return err;
}

int
operator_create(struct disk *d, const char *path, const struct key *seed)
{
	char hex[HEX(sizeof(seed->b)) + 1], line[LINE_MAX_];
	struct file *f;
	int n, err = disk_open(d, path, FILE_WRITE | FILE_CREATE | FILE_EXCLUSIVE, &f);

	if (err != ERR_OK)
		return err;
	hex_encode(hex, seed->b, sizeof(seed->b));
	n = snprintf(line, sizeof(line), "%s %s\n", KEY_WORD, hex);
	err = file_write(f, 0, line, (size_t)n);
	if (err == ERR_OK)
		err = file_sync(f);
	file_close(f);
	if (err != ERR_OK)
		(void)disk_unlink(d, path); /* half a key would be in the way of the next try */
	crypto_wipe(hex, sizeof(hex));
	crypto_wipe(line, sizeof(line));
	return err;
}

/* The hex word at *text, len bytes of it, and the blank behind. */
static bool
take_hex(const char **text, void *out, size_t len)
{
	size_t letters = strcspn(*text, " ");

	if (hex_decode(out, len, *text, letters) != ERR_OK)
		return false;
	*text += letters + ((*text)[letters] == ' ');
	return true;
}

static bool
take_word(const char **text, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(*text, word, len) != 0 || (*text)[len] != ' ')
		return false;
	*text += len + 1;
	return true;
}

int
operator_load(const char *path, struct sign_key *key, struct pubkey *pub)
{
	char line[LINE_MAX_];
	const char *text = line;
	struct key seed;
	int err = read_line(path, line);

	if (err == ERR_OK && (!take_word(&text, KEY_WORD) ||
				 !take_hex(&text, seed.b, sizeof(seed.b)) || text[0] != '\0'))
		err = ERR_INVALID;
	if (err == ERR_OK)
		crypto_sign_key_from_seed(&seed, key, pub);
	crypto_wipe(&seed, sizeof(seed));
	crypto_wipe(line, sizeof(line));
	return err;
}

/* Tells a file for another node from one that is nothing of the kind. */
static int
load_countersignature(const char *path, const struct pubkey *node, struct pubkey *operator_key,
    struct sig *sig, char error[OPERATOR_ERROR_MAX])
{
	char line[LINE_MAX_];
	const char *text = line;
	struct pubkey whose;
	int err = read_line(path, line);

	if (err == ERR_OK && (!take_word(&text, SIG_WORD) ||
				 !take_hex(&text, operator_key->b, sizeof(operator_key->b)) ||
				 !take_hex(&text, whose.b, sizeof(whose.b)) ||
				 !take_hex(&text, sig->b, sizeof(sig->b)) || text[0] != '\0'))
		err = ERR_INVALID;
	if (err == ERR_INVALID)
		(void)snprintf(error, OPERATOR_ERROR_MAX,
		    "%.300s is neither an operator's key nor a countersignature; skerry operator "
		    "makes both",
		    path);
	else if (err != ERR_OK)
		(void)snprintf(
		    error, OPERATOR_ERROR_MAX, "cannot read %.300s: %s", path, err_text(err));
	else if (!pubkey_equal(&whose, node)) {
		err = ERR_INVALID;
		(void)snprintf(error, OPERATOR_ERROR_MAX,
		    "%.300s countersigns another node than this one; ask the operator for one with "
		    "this node's key",
		    path);
	}
	return err;
}

int
operator_countersign(const char *path, const struct network_id *net, const struct pubkey *node,
    struct pubkey *operator_key, struct sig *sig, char error[OPERATOR_ERROR_MAX])
{
	struct sign_key key;
	int err = operator_load(path, &key, operator_key);

	if (err == ERR_OK) {
		peer_record_countersign(&key, net, node, sig);
		crypto_wipe(&key, sizeof(key));
		return ERR_OK;
	}
	return load_countersignature(path, node, operator_key, sig, error);
}

const char *
operator_print(const struct pubkey *operator_key, const struct pubkey *node, const struct sig *sig,
    char out[COUNTERSIGNATURE_TEXT_MAX])
{
	char a[HEX(sizeof(operator_key->b)) + 1], b[HEX(sizeof(node->b)) + 1];
	char c[HEX(sizeof(sig->b)) + 1];

	hex_encode(a, operator_key->b, sizeof(operator_key->b));
	hex_encode(b, node->b, sizeof(node->b));
	hex_encode(c, sig->b, sizeof(sig->b));
	(void)snprintf(out, COUNTERSIGNATURE_TEXT_MAX, "%s %s %s %s\n", SIG_WORD, a, b, c);
	return out;
}
