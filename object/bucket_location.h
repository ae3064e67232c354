/*
 * Where a bucket's contents may lie, and how they are coded, in one word that S3 can carry: its
 * LocationConstraint. Words with commas between them:
 *
 *	any                     nothing is asked; the same as ""
 *	de                      only there (ISO 3166-1); several: any of them
 *	eu, eea                 the countries of the European Union; and of the Economic Area
 *	not:us                  anywhere but there; several; not beside allowed ones
 *	spread:3                in at least three regions
 *	country-max:2           at most so many shards in one country, of one operator, in one
 *	operator-max:1          network (/24, /64): who could stop a chunk
 *	network-max:1
 *	code:4/6/8              k/r/n; else by the size of the network
 *
 * Country, region and operator are signed claims of the nodes, networks are facts. Pure.
 */
#ifndef OBJECT_BUCKET_LOCATION_H
#define OBJECT_BUCKET_LOCATION_H

#include "storage/lease.h"

#define BUCKET_LOCATION_TEXT 65 /* with the NUL; as much as a bucket's settings keep of it */

struct bucket_location {
	char text[BUCKET_LOCATION_TEXT]; /* as it was given */
	struct code_params code;         /* k 0: by the size of the network */
	struct constraints constraints;  /* repair_at is set from the code by who puts */
};

/* Letters in any case. ERR_INVALID: an unknown word, or words that contradict each other. */
int bucket_location_parse(const char *text, struct bucket_location *out);

#endif
