/* SPDX-License-Identifier: MIT */
/* plugin.h -- what host.c calls in plugin.c. */
#ifndef TESTS_LINK_PLUGIN_H
#define TESTS_LINK_PLUGIN_H

/* Allocates and frees blocks of mia_malloc. */
int plugin_work(void);

/* plugin_text returns a block of malloc for the program to free; plugin_drop frees one of the
 * program's. */
char *plugin_text(void);
void plugin_drop(char *text);

#endif
