/* SPDX-License-Identifier: MIT */
/* fiber.c -- the threads of a model: coroutines, each with its own stack. */
#include "core.h"

#include <string.h>

enum { STACK_SIZE = 1 << 17, STACK_ALIGN = 64 };

static _Alignas(STACK_ALIGN) char stacks[RACE_THREADS][STACK_SIZE];

#if defined(__x86_64__)

typedef void *context;

/* Saves the registers that a call preserves, and continues where `to' stopped. */
void race_fiber_switch(void **from, void *to);
__asm__(".text\n"
        ".globl race_fiber_switch\n"
        ".type race_fiber_switch, @function\n"
        "race_fiber_switch:\n"
        "  pushq %rbp\n  pushq %rbx\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
        "  movq %rsp, (%rdi)\n"
        "  movq %rsi, %rsp\n"
        "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbx\n  popq %rbp\n"
        "  ret\n"
        ".size race_fiber_switch, . - race_fiber_switch\n");

enum { SAVED_REGISTERS = 6 };

/* The switch returns into the body, with the stack aligned as after a call. */
static void make(context *c, char *stack, void (*body)(void)) {
  void **top = (void **)(void *)(stack + STACK_SIZE);
  *--top = NULL;
  void *entry;
  memcpy(&entry, &body, sizeof entry);
  *--top = entry;
  for (size_t i = 0; i < SAVED_REGISTERS; i++) *--top = NULL;
  *c = top;
}
static void swap(context *from, context *to) { race_fiber_switch(from, *to); }

#else

#include <ucontext.h>

typedef ucontext_t context;

static void make(context *c, char *stack, void (*body)(void)) {
  if (getcontext(c) != 0) race_fail("no context");
  c->uc_stack.ss_sp = stack;
  c->uc_stack.ss_size = STACK_SIZE;
  c->uc_link = NULL;
  makecontext(c, body, 0);
}
static void swap(context *from, context *to) { (void)swapcontext(from, to); }

#endif

static context explorer, fibers[RACE_THREADS];

void core_fiber_make(unsigned thread, void (*body)(void)) {
  make(&fibers[thread], stacks[thread], body);
}

void core_fiber_go(unsigned thread) { swap(&explorer, &fibers[thread]); }

void core_fiber_swap(unsigned from, unsigned to) { swap(&fibers[from], &fibers[to]); }

void core_fiber_pause(void) { swap(&fibers[core.current], &explorer); }
