/*
 * Which build this is: a release's number, and the commit where it was built from a clone. Findings
 * and figures carry both, since only the same code plays the same events again.
 */
#ifndef CMD_PROGRAM_H
#define CMD_PROGRAM_H

/* "skerry 0.1.0, commit 0123456789ab", with "and changes" behind it where files differed from it;
 * without a commit from a tarball. */
const char *program_version(void);
const char *program_commit(void); /* NULL: built from a tarball */

#endif
