/* plugin.h -- what host.c calls in plugin.c. */
#ifndef TESTS_LINK_PLUGIN_H
#define TESTS_LINK_PLUGIN_H

/* Takes and gives blocks of mia_malloc. */
int plugin_work(void);

/* A block of malloc, for the program to free; and the other way round. */
char *plugin_text(void);
void plugin_drop(char *text);

#endif
