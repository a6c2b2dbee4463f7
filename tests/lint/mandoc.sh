#! /bin/sh
# SPDX-License-Identifier: MIT
# mandoc must have no complaints about the manual.  Run by `make check' where mandoc is
# installed, and by CI, which installs it.
pages=$(find "$top_srcdir/man" -name '*.[1-8]')
test -n "$pages" || { echo 'nothing examined'; exit 1; }
said=$(mandoc -T lint -W all $pages 2>&1) && test -z "$said" || { echo "mandoc: $said"; exit 1; }
echo "$(echo "$pages" | wc -l) pages examined"
