#! /bin/sh
# mandoc has nothing to say of the manual.  Run by `make check' where there is a
# mandoc, and by CI, which sees to that.
pages=$(find "$top_srcdir/man" -name '*.[1-8]')
test -n "$pages" || { echo 'nothing examined'; exit 1; }
said=$(mandoc -T lint -W all $pages 2>&1) && test -z "$said" || { echo "mandoc: $said"; exit 1; }
echo "$(echo "$pages" | wc -l) pages examined"
