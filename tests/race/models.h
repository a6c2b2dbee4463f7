/* SPDX-License-Identifier: MIT */
/* models.h -- the lists of models; each list ends in NULL. */
#ifndef TESTS_RACE_MODELS_H
#define TESTS_RACE_MODELS_H

#include "engine.h"

extern const race_model *const race_litmus[]; /* the checker's own tests */

/* The models of the library's protocols. */
extern const race_model *const race_models_owner[];
extern const race_model *const race_models_live[];
extern const race_model *const race_models_map[];
extern const race_model *const race_models_arena[];
extern const race_model *const race_models_theap[];
extern const race_model *const race_models_api[];

#endif
