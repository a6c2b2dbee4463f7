/* json.h -- statistics as a JSON object. */
#ifndef MIA_API_JSON_H
#define MIA_API_JSON_H

#include "base/fmt.h"

#include <mialloc/stats.h>

/* Room for all of it: what comes before the classes, and a line for each with 7
 * names and as many numbers of up to 20 digits. */
enum {
  MIA_API_JSON_HEAD = 2048,
  MIA_API_JSON_SIZE = MIA_API_JSON_HEAD + MIA_STATS_CLASSES * (7 * 20 + 96)
};

void mia_api_put_json(mia_text *t, const mia_stats *stats);

/* Writes it where messages go, or to `out'. */
void mia_api_print_json(const mia_stats *stats, mia_output_function *out, void *arg);

#endif
