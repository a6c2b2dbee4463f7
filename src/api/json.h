/* SPDX-License-Identifier: MIT */
/* json.h -- statistics as a JSON object. */
#ifndef MIA_API_JSON_H
#define MIA_API_JSON_H

#include "base/fmt.h"

#include <mialloc/stats.h>

/* Room for the whole object: the lines before the classes, and a line for each class with 7
 * names and 7 numbers of up to 20 digits. */
enum {
  MIA_API_JSON_HEAD = 2048,
  MIA_API_JSON_SIZE = MIA_API_JSON_HEAD + MIA_STATS_CLASSES * (7 * 20 + 96)
};

void mia_api_put_json(mia_text *t, const mia_stats *stats);

/* Writes the object to `out'; if that is NULL, where messages go. */
void mia_api_print_json(const mia_stats *stats, mia_output_function *out, void *arg);

#endif
