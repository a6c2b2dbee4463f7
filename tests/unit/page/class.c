/* SPDX-License-Identifier: MIT */
/* Size classes: what requests of every size are rounded up to. */
#include "unit/suite.h"

#include "page/class.h"

START_TEST(a_class_is_the_smallest_that_fits) {
  for (size_t size = 0; size <= MIA_CLASS_SIZE_MAX; size++) {
    unsigned c = mia_class_of(size);
    need_at(c < MIA_CLASS_COUNT && mia_class_size(c) >= size, size);
    need_at(c == 0 || mia_class_size(c - 1) < size, size);
  }
}
END_TEST

START_TEST(rounding_loses_an_eighth_at_most) {
  for (size_t size = MIA_CLASS_LINEAR_MAX + 1; size <= MIA_CLASS_SIZE_MAX; size++)
    need_at((mia_class_size(mia_class_of(size)) - size) * 8 < size, size);
  for (size_t size = 9; size <= MIA_CLASS_LINEAR_MAX; size++)
    need_at(mia_class_size(mia_class_of(size)) - size < MIA_BLOCK_ALIGN, size);
}
END_TEST

START_TEST(blocks_are_aligned) {
  ck_assert_uint_eq(mia_class_size(0), MIA_BLOCK_MIN);
  for (unsigned c = 1; c < MIA_CLASS_COUNT; c++)
    need_at(mia_class_size(c) % MIA_BLOCK_ALIGN == 0 && mia_class_size(c) > mia_class_size(c - 1),
            c);
  ck_assert_uint_eq(mia_class_size(MIA_CLASS_COUNT - 1), MIA_CLASS_SIZE_MAX);
}
END_TEST

START_TEST(a_multiple_of_an_alignment_has_a_class_that_is_one) {
  for (size_t align = 1; align <= MIA_SLICE_SIZE; align *= 2)
    for (size_t size = align; size <= MIA_CLASS_SIZE_MAX; size += align)
      need_at(mia_class_size(mia_class_of(size)) % align == 0, size);
}
END_TEST

START_TEST(table_and_arithmetic_agree) {
  for (size_t size = MIA_CLASS_LINEAR_MAX + 1; size <= MIA_CLASS_TABLE_MAX; size++)
    need_at(mia_class_of(size) == mia_class_above(size), size);
}
END_TEST

START_TEST(a_page_has_eight_blocks_at_least) {
  for (unsigned c = 0; c < MIA_CLASS_COUNT; c++)
    need_at((mia_class_slices(c) << MIA_SLICE_SHIFT) / mia_class_size(c) >= 8, c);
}
END_TEST

SUITE("page/class") {
  CASE(NULL, NULL);
  TEST(a_class_is_the_smallest_that_fits);
  TEST(rounding_loses_an_eighth_at_most);
  TEST(blocks_are_aligned);
  TEST(a_multiple_of_an_alignment_has_a_class_that_is_one);
  TEST(table_and_arithmetic_agree);
  TEST(a_page_has_eight_blocks_at_least);
}
