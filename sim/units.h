/*
 * Values as scenario files write them: times, sizes, shares. Pure; integers only, so "1.5h" is read
 * without a float. False: not possible, the field is untouched.
 */
#ifndef SIM_UNITS_H
#define SIM_UNITS_H

#include "overlay/base/types.h"

bool units_duration(const char *text, uint64_t *ns); /* "90s", "1.5h"; ms s m h d; plain 0 */
bool units_size(const char *text, uint64_t *bytes);  /* "64K", "1M", "2G", plain bytes */
/* "15%", "0.1%", "500ppm", plain 0; in parts per million, at most 100 %. */
bool units_percent(const char *text, uint32_t *ppm);

#endif
