/* hook.c -- functions of the program that the library calls. */
#include "base/prelude.h"

#include "api/hook.h"
#include "api/world.h"
#include "base/fail.h"
#include "os/os.h"

#include <errno.h>
#include <string.h>

mia_api_world mia_api_all = {.subprocs = MIA_LOCK_INIT(MIA_RANK_SUBPROCS), .bound = MIA_ONCE_INIT};

enum { BUSY = 1 };

/* The version is odd while function and argument change: who has read either of
 * the new ones finds it changed. */
static void put(mia_hook *hook, uintptr_t function, void *arg) {
  uintptr_t version = mia_aword_get(&hook->version) & ~(uintptr_t)BUSY;
  while (!mia_aword_cas_acq(&hook->version, &version, version | BUSY)) {
    if ((version & BUSY) == 0) continue;
    version &= ~(uintptr_t)BUSY;
    mia_os_yield(); /* another thread registers */
  }
  mia_aword_set_rel(&hook->function, function);
  mia_aword_set_rel(&hook->arg, (uintptr_t)arg);
  mia_aword_set_rel(&hook->version, (version | BUSY) + 1);
}

/* While one goes and another comes there is none. */
static uintptr_t get(const mia_hook *hook, void **arg) {
  for (;;) {
    uintptr_t version = mia_aword_get_acq(&hook->version);
    uintptr_t function = mia_aword_get_acq(&hook->function);
    *arg = (void *)mia_aword_get_acq(&hook->arg);
    if ((version & BUSY) != 0) return 0;
    if (mia_aword_get(&hook->version) == version) return function;
  }
}

/* Function and argument need not belong together: then there is none. */
static void renew(mia_hook *hook) {
  uintptr_t version = mia_aword_get(&hook->version);
  if ((version & BUSY) == 0) return;
  mia_aword_set(&hook->function, 0);
  mia_aword_set(&hook->version, version + 1);
}

void mia_api_renew_hooks(void) {
  renew(&mia_api_all.output);
  renew(&mia_api_all.error);
  renew(&mia_api_all.deferred);
}

/* ---- output ---- */

void mia_api_write_message(mia_output_function *out, void *arg, const char *text) {
  if (out == NULL) out = (mia_output_function *)get(&mia_api_all.output, &arg);
  int error = errno;
  int cancel = mia_os_put_off_cancel();
  if (out != NULL)
    out(text, arg);
  else
    mia_os_write(MIA_OS_STDERR, text, strlen(text));
  mia_os_allow_cancel(cancel);
  errno = error;
}

void mia_api_begin_lines(mia_lines *lines, mia_output_function *out, void *arg) {
  lines->out = out;
  lines->arg = arg;
  lines->text = mia_base_text(lines->buffer, sizeof lines->buffer);
}

void mia_api_end_lines(mia_lines *lines) {
  if (*lines->buffer != 0) mia_api_write_message(lines->out, lines->arg, lines->buffer);
  lines->text = mia_base_text(lines->buffer, sizeof lines->buffer);
}

void mia_api_end_line(mia_lines *lines) {
  if (lines->text.end - lines->text.at <= MIA_LINE_MAX) mia_api_end_lines(lines);
}

bool mia_api_has_output(void) { return mia_aword_get(&mia_api_all.output.function) != 0; }

/* ---- errors ---- */

bool mia_api_report(int error) {
  void *arg;
  mia_error_function *function = (mia_error_function *)get(&mia_api_all.error, &arg);
  if (function == NULL) return false;
  int kept = errno;
  int cancel = mia_os_put_off_cancel();
  function(error, arg);
  mia_os_allow_cancel(cancel);
  errno = kept;
  return true;
}

/* The process is about to end. */
static void at_misuse(const char *message) {
  mia_api_write_message(NULL, NULL, message);
  (void)mia_api_report(EINVAL);
}

void mia_register_error(mia_error_function *function, void *arg) {
  put(&mia_api_all.error, (uintptr_t)function, arg);
  mia_aword_set(&mia_base_at_misuse, (uintptr_t)at_misuse);
}

void mia_register_output(mia_output_function *out, void *arg) {
  put(&mia_api_all.output, (uintptr_t)out, arg);
  mia_aword_set(&mia_base_at_misuse, (uintptr_t)at_misuse);
}

/* ---- freeing that was put off ---- */

bool mia_api_run_deferred(mia_theap *self, bool force) {
  if (mia_theap_is_none(self) || self->in_deferred) return false;
  void *arg;
  mia_deferred_free_function *function = (mia_deferred_free_function *)get(&mia_api_all.deferred,
                                                                           &arg);
  if (function == NULL) return false;
  int error = errno;
  int cancel = mia_os_put_off_cancel();
  self->in_deferred = true;
  function(force, self->heartbeat++, arg);
  self->in_deferred = false;
  mia_os_allow_cancel(cancel);
  errno = error;
  return true;
}

void mia_register_deferred_free(mia_deferred_free_function *function, void *arg) {
  put(&mia_api_all.deferred, (uintptr_t)function, arg);
}
