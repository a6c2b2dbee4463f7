/* SPDX-License-Identifier: MIT */
/* hook.c -- functions of the program that the library calls. */
#include "base/prelude.h"

#include "api/hook.h"
#include "api/world.h"
#include "base/fail.h"
#include "os/os.h"

#include <errno.h>
#include <string.h>

mia_api_world mia_api_all = {.subprocs = MIA_LOCK_INIT(MIA_RANK_SUBPROCS), .bound = MIA_ONCE_INIT};

enum { CHANGING = 1 };

/* The version is odd while the function and its argument change.  A reader that sees either of
 * the new values then finds the version changed. */
static void set_hook(mia_hook *hook, uintptr_t function, void *arg) {
  uintptr_t version = mia_aword_get(&hook->version) & ~(uintptr_t)CHANGING;
  while (!mia_aword_cas_acq(&hook->version, &version, version | CHANGING)) {
    if ((version & CHANGING) == 0) continue;
    version &= ~(uintptr_t)CHANGING;
    mia_os_yield(); /* another thread registers */
  }
  mia_aword_set_rel(&hook->function, function);
  mia_aword_set_rel(&hook->arg, (uintptr_t)arg);
  mia_aword_set_rel(&hook->version, (version | CHANGING) + 1);
}

/* Returns the function, or 0 while another one is being registered. */
static uintptr_t get_hook(const mia_hook *hook, void **arg) {
  for (;;) {
    uintptr_t version = mia_aword_get_acq(&hook->version);
    uintptr_t function = mia_aword_get_acq(&hook->function);
    *arg = (void *)mia_aword_get_acq(&hook->arg);
    if ((version & CHANGING) != 0) return 0;
    if (mia_aword_get(&hook->version) == version) return function;
  }
}

/* The function and the argument may not belong together, so the hook becomes empty. */
static void reset_hook(mia_hook *hook) {
  uintptr_t version = mia_aword_get(&hook->version);
  if ((version & CHANGING) == 0) return;
  mia_aword_set(&hook->function, 0);
  mia_aword_set(&hook->version, version + 1);
}

void mia_api_reset_hooks(void) {
  reset_hook(&mia_api_all.output);
  reset_hook(&mia_api_all.error);
  reset_hook(&mia_api_all.deferred);
}

/* ---- calls ---- */

/* What is restored when a call of a function of the program ends. */
typedef struct hook_call {
  mia_theap *self;
  int error;
  int cancel;
  bool was_in_hook;
} hook_call;

/* Until end_call, mia_thread_done does nothing: the code that calls the function goes on to use the
 * thread's theap. */
static hook_call begin_call(void) {
  hook_call call = {.self = mia_theap_self, .error = errno, .cancel = mia_os_disable_cancel()};
  if (mia_theap_is_none(call.self)) return call;
  call.was_in_hook = call.self->in_hook;
  call.self->in_hook = true;
  return call;
}

static void end_call(const hook_call *call) {
  if (!mia_theap_is_none(call->self)) call->self->in_hook = call->was_in_hook;
  mia_os_restore_cancel(call->cancel);
  errno = call->error;
}

/* ---- output ---- */

void mia_api_write_message(mia_output_function *out, void *arg, const char *text) {
  if (out == NULL) out = (mia_output_function *)get_hook(&mia_api_all.output, &arg);
  hook_call call = begin_call();
  if (out != NULL)
    out(text, arg);
  else
    mia_os_write(MIA_OS_STDERR, text, strlen(text));
  end_call(&call);
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

/* The function may leave by longjmp, as nothing uses the thread's theap after it. */
bool mia_api_report(int error) {
  void *arg;
  mia_error_function *function = (mia_error_function *)get_hook(&mia_api_all.error, &arg);
  if (function == NULL) return false;
  int error_before = errno;
  int cancel = mia_os_disable_cancel();
  function(error, arg);
  mia_os_restore_cancel(cancel);
  errno = error_before;
  return true;
}

/* Called before the process ends, or before a call returns that did nothing. */
static void at_misuse(const char *message) {
  mia_api_write_message(NULL, NULL, message);
  (void)mia_api_report(EINVAL);
}

void mia_register_error(mia_error_function *function, void *arg) {
  set_hook(&mia_api_all.error, (uintptr_t)function, arg);
  mia_aword_set(&mia_base_all.at_misuse, (uintptr_t)at_misuse);
}

void mia_register_output(mia_output_function *out, void *arg) {
  set_hook(&mia_api_all.output, (uintptr_t)out, arg);
  mia_aword_set(&mia_base_all.at_misuse, (uintptr_t)at_misuse);
}

/* ---- deferred freeing ---- */

bool mia_api_run_deferred(mia_theap *self, bool force) {
  if (mia_theap_is_none(self) || self->in_hook) return false;
  void *arg;
  mia_deferred_free_function *function = (mia_deferred_free_function *)get_hook(
      &mia_api_all.deferred, &arg);
  if (function == NULL) return false;
  hook_call call = begin_call();
  function(force, self->heartbeat++, arg);
  end_call(&call);
  /* Lists that the function itself refilled are no reason to call it again. */
  self->clock.refilled = false;
  return true;
}

void mia_register_deferred_free(mia_deferred_free_function *function, void *arg) {
  set_hook(&mia_api_all.deferred, (uintptr_t)function, arg);
}
