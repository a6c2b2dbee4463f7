#! /bin/sh
# SPDX-License-Identifier: MIT
# The cases of misuse in the security tiers above 0, which are chosen before a process begins.
status=0
for tier in 1 2; do
  hardened=
  test $tier -lt 2 || hardened=hardened
  for test in outcomes going_on $hardened; do
    MIALLOC_SECURE=$tier ${TEST_EMULATOR-} "tests/misuse/$test.tap" >tiers.$$ || status=1
    grep -A 1 '^not ok' tiers.$$ | sed "s/^/tier $tier, $test: /"
    grep '^ok' tiers.$$ >/dev/null || status=1
  done
done
rm -f tiers.$$
exit $status
