/* stock.h -- pages from the arenas and back, counted. */
#ifndef MIA_LOCAL_STOCK_H
#define MIA_LOCAL_STOCK_H

#include "local/local.h"

/* As mia_page_make and mia_page_make_single, for the heap of a local. */
mia_page *mia_local_make(mia_local *self, unsigned size_class);
mia_page *mia_local_make_single(mia_local *self, const mia_single *wanted, bool *zero);

/* As mia_page_detach_single. */
mia_page *mia_local_detach_single(mia_local *self, mia_page *from);

/* As mia_page_retire, but errno is kept, as free must. */
void mia_local_retire(mia_local *self, mia_page *page);

/* Counts one more or one less. */
void mia_local_tally_up(mia_tally *tally);
void mia_local_tally_down(mia_tally *tally);

#endif
