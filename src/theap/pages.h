/* stock.h -- pages from the arenas and back, counted. */
#ifndef MIA_THEAP_PAGES_H
#define MIA_THEAP_PAGES_H

#include "theap/theap.h"

/* As mia_page_make and mia_page_make_singleton, for the heap of a local. */
mia_page *mia_theap_make_page(mia_theap *self, unsigned size_class);
mia_page *mia_theap_make_singleton(mia_theap *self, const mia_singleton_request *wanted,
                                   bool *zero);

/* As mia_page_detach_singleton. */
mia_page *mia_theap_detach_singleton(mia_theap *self, mia_page *from);

/* As mia_page_retire, but errno is kept, as free must. */
void mia_theap_retire_page(mia_theap *self, mia_page *page);

/* Counts one more or one less. */
void mia_theap_count_up(mia_peak_count *tally);
void mia_theap_count_down(mia_peak_count *tally);

#endif
