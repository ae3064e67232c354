/* A key is known again by its label. */
#include "cmd/gateway_keys.h"

#include <stdio.h>

#define LABEL "skerry gateway --make-keys"

struct finding {
	struct access_key *out;
	bool found;
};

static int
each_key(void *arg, const struct access_key *k)
{
	struct finding *f = arg;

	if (strcmp(k->label, LABEL) == 0 && !f->found) {
		*f->out = *k;
		f->found = true;
	}
	return ERR_OK;
}

static SUSPENDS int
own_key(struct cloud *account, struct access_key *out)
{
	struct finding f = { .out = out };
	uint64_t stale_ms; /* a key that is there serves, also while none can be made */
	int err = cloud_keys(account, &stale_ms, each_key, &f);

	if (err != ERR_OK || f.found)
		return err;
	*out = (struct access_key){ .grants_count = 1 };
	out->grants[0].rights = ACCESS_ALL;
	(void)snprintf(out->label, sizeof(out->label), "%s", LABEL);
	return cloud_key_create(account, out);
}

SUSPENDS int
gateway_keys_tell(struct cloud *account, bool make, struct json_value *list)
{
	struct json_value *v = json_make_object();
	char name[CLOUD_NAME_MAX + 1];
	struct access_key key;
	int err = cloud_name(account, name);

	if (err == ERR_OK && make)
		err = own_key(account, &key);
	if (err != ERR_OK) {
		json_free(v);
		return err;
	}
	json_put_text(v, "name", name);
	json_put_text(v, "id", cloud_number(account));
	if (make) {
		json_put_text(v, "access_key", key.id);
		json_put_text(v, "secret_key", key.secret);
		access_key_wipe(&key);
	}
	json_add_value(list, v);
	return ERR_OK;
}

static void
say_clients(const char *endpoint, const char *region, const char *access, const char *secret)
{
	const char *slashes = strstr(endpoint, "//"),
		   *host = slashes == NULL ? endpoint : slashes + 2;
	const char *plain = strncmp(endpoint, "https", 5) == 0 ? "" : " --no-ssl";

	printf("\nFor example:\n"
	       "  export AWS_ACCESS_KEY_ID=%s AWS_SECRET_ACCESS_KEY=%s\n"
	       "  aws --endpoint-url %s --region %s s3 ls\n"
	       "  rclone lsd :s3,provider=Other,env_auth,region=%s,endpoint='%s':\n"
	       "  restic -r s3:%s/backup init\n"
	       "  s3cmd --access_key=%s --secret_key=%s --host=%s --host-bucket=%s%s ls\n"
	       "  boto3.client('s3', endpoint_url='%s', region_name='%s')\n",
	    access, secret, endpoint, region, region, endpoint, endpoint, access, secret, host,
	    host, plain, endpoint, region);
}

void
gateway_keys_say(const struct json_value *o)
{
	const struct json_value *accounts = json_child(o, "accounts");
	const char *endpoint = json_text(o, "endpoint"), *region = json_text(o, "region");

	printf("S3 at %s, region %s\n", endpoint, region);
	for (size_t i = 0; i < json_count(accounts); i++) {
		const struct json_value *a = json_at(accounts, i);
		const char *access = json_text(a, "access_key"),
			   *secret = json_text(a, "secret_key");

		printf("  account %s (%s)\n", json_text(a, "name"), json_text(a, "id"));
		if (access == NULL)
			continue;
		printf("    access key %s\n    secret key %s\n", access, secret);
		if (i == 0)
			say_clients(endpoint, region, access, secret);
	}
	(void)fflush(stdout);
}
