/* What get, stat and verify do alike with a link and with what is missing behind it. */
#ifndef CMD_LINKS_H
#define CMD_LINKS_H

#include "cmd/client.h"

/* The longest name of a manifest, each byte as \xNN, for say_clean(). */
#define NAME_CLEAN_MAX 4200

/*
 * A link from the command line, or for "-" from the first line of standard input. reading: a
 * verify link will not do. False: said why, *code is the exit code. Before the loop: it blocks.
 */
bool links_read(const char *command, const char *text, bool reading, struct link *out, int *code);
/* ERR_WRONG_NETWORK, and said so, when the link is of another network. */
int links_check_network(const struct client *c, const struct link *link);
/* How many holders of how many are missing. */
void links_tell_missing(const char *command, const struct file_missing *missing);

#endif
