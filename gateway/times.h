/*
 * Points of time as S3 writes them. All are unix milliseconds, UTC, years 1 to 9999. Pure.
 */
#ifndef GATEWAY_TIMES_H
#define GATEWAY_TIMES_H

#include "overlay/base/err.h"
#include "overlay/base/types.h"

#define TIMES_TEXT_MAX 40

/* "2013-05-24T00:00:00.000Z": in XML. */
const char *times_iso(uint64_t unix_ms, char out[TIMES_TEXT_MAX]);
/* "20130524T000000Z": in signatures. */
const char *times_amz(uint64_t unix_ms, char out[TIMES_TEXT_MAX]);
/* "Fri, 24 May 2013 00:00:00 GMT": in headers. */
const char *times_http(uint64_t unix_ms, char out[TIMES_TEXT_MAX]);
int times_parse_amz(const char *text, uint64_t *unix_ms);
/* With or without a fraction; "Z" or an offset "+01:00"; a date alone is its midnight. */
int times_parse_iso(const char *text, uint64_t *unix_ms);
/* The three forms of RFC 9110, 5.6.7. */
int times_parse_http(const char *text, uint64_t *unix_ms);

#endif
