/*
 * What can be seen of a fleet from outside: tables against the truth, bytes sent by purpose. A
 * node's counters go with it, so they are added up when it stops.
 */
#include <stdlib.h>

#include "dht/messages.h"
#include "sim/fleet_private.h"

#define TABLES_MAX        50 /* members looked at: of ten thousand contacts, a third of a percent */
#define CONTACTS_MAX_SEEN 2048

static enum traffic_class
class_of(uint16_t method)
{
	switch (method) {
	case DHT_PING:
		return TRAFFIC_UPKEEP;
	case DHT_FIND_NODE:
	case DHT_FIND_REGION:
		return TRAFFIC_LOOKUP;
	case DHT_PUT:
	case DHT_GET:
	case DHT_SELF:
		return TRAFFIC_RECORDS;
	default:
		return TRAFFIC_OTHER;
	}
}

void
fleet_count_traffic(const struct member *m, uint64_t out[TRAFFIC_CLASSES])
{
	const struct endpoint_counters *c;

	if (m->node == NULL)
		return;
	c = endpoint_counters(node_endpoint(m->node));
	for (uint16_t i = 0; i < ENDPOINT_METHODS_COUNTED; i++)
		out[class_of(i)] += c->sent_by_method[i];
	out[TRAFFIC_STREAMS] += c->session_bytes_out;
}

void
fleet_traffic(struct fleet *f, uint64_t out[TRAFFIC_CLASSES])
{
	memcpy(out, f->sent, sizeof(f->sent));
	for (size_t i = 0; i < f->count; i++) {
		if (f->members[i].state == MEMBER_UP)
			fleet_count_traffic(&f->members[i], out);
	}
}

void
fleet_count_repair(const struct member *m, struct fleet_repaired *sum)
{
	struct keeper_status s;

	if (m->node == NULL || node_keeper(m->node) == NULL)
		return;
	keeper_status(node_keeper(m->node), &s);
	sum->moved += s.bytes_fetched + s.bytes_sent;
	sum->own += s.bytes_own;
}

void
fleet_repaired(const struct fleet *f, struct fleet_repaired *out)
{
	*out = f->repaired;
	for (size_t i = 0; i < f->count; i++) {
		if (f->members[i].state == MEMBER_UP)
			fleet_count_repair(&f->members[i], out);
	}
}

void
fleet_tables(struct fleet *f, struct fleet_tables *out)
{
	struct contact *seen = calloc(CONTACTS_MAX_SEEN, sizeof(*seen));
	size_t every = f->count / TABLES_MAX + 1;

	must(seen != NULL);
	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < f->count; i += every) {
		const struct member *m = &f->members[i];
		size_t count;

		if (m->state != MEMBER_UP)
			continue;
		count = MIN(dht_contacts(node_dht(m->node), seen, CONTACTS_MAX_SEEN),
		    (size_t)CONTACTS_MAX_SEEN);
		out->members++;
		out->contacts += count;
		for (size_t j = 0; j < count; j++)
			out->stale += fleet_by_id(f, &seen[j].id) == NULL;
	}
	free(seen);
}

void
fleet_moves(const struct fleet *f, uint64_t *joined, uint64_t *left)
{
	*joined = f->joined;
	*left = f->left;
}

struct provider {
	uint32_t as_number, members;
};

static int
compare_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static int
compare_size(const void *a, const void *b)
{
	const struct provider *x = a, *y = b;

	if (x->members != y->members)
		return x->members < y->members ? 1 : -1;
	return compare_number(&x->as_number, &y->as_number);
}

bool
fleet_provider(const struct fleet *f, unsigned rank, uint32_t *as_number)
{
	uint32_t *of = calloc(f->count, sizeof(*of));
	struct provider *all = calloc(f->count, sizeof(*all));
	size_t count = 0;

	must(of != NULL && all != NULL);
	for (size_t i = 0; i < f->count; i++)
		of[i] = f->members[i].place.as_number;
	qsort(of, f->count, sizeof(*of), compare_number);
	for (size_t i = 0; i < f->count; i++) {
		if (count == 0 || all[count - 1].as_number != of[i])
			all[count++].as_number = of[i];
		all[count - 1].members++;
	}
	qsort(all, count, sizeof(*all), compare_size);
	if (rank < count)
		*as_number = all[rank].as_number;
	free(of);
	free(all);
	return rank < count;
}
