/* The word list of recovery phrases: sorted, 2048 words of at most eight letters (BIP-39). */
#ifndef OBJECT_PHRASE_WORDS_H
#define OBJECT_PHRASE_WORDS_H

#define PHRASE_LIST_WORDS 2048 /* 11 bits each */
#define PHRASE_WORD_MAX   8

extern const char phrase_words[PHRASE_LIST_WORDS][PHRASE_WORD_MAX + 1];

#endif
