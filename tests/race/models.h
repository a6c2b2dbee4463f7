/* models.h -- what there is to be checked; each list ends in NULL. */
#ifndef TESTS_RACE_MODELS_H
#define TESTS_RACE_MODELS_H

#include "engine.h"

extern const race_model *const race_litmus[]; /* the checker's own tests */

/* The protocols. */
extern const race_model *const race_models_owner[];
extern const race_model *const race_models_map[];
extern const race_model *const race_models_arena[];
extern const race_model *const race_models_theap[];
extern const race_model *const race_models_api[];

#endif
