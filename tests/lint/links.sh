#! /bin/sh
# SPDX-License-Identifier: MIT
# What README.md and doc/ link to exists, the figures of README.md are those of doc/performance.md, and
# doc/migrating.md names no option and no function that does not exist.
set -u
cd "$top_srcdir" || exit 1
failed=0
links=0

# the headings of a document, as links write them
anchors() { sed -n 's/^##* //p' "$1" | tr 'A-Z ' 'a-z-' | sed 's/[^a-z0-9_-]//g'; }

for page in README.md doc/*.md; do
  # one link a line, without code
  for link in $(sed '/^    /d; s/`[^`]*`//g' "$page" | tr '\n' ' ' | grep -o '](  *[^)]*)\|]([^)]*)' | tr -d ' ' | sed 's/^](//; s/)$//'); do
    links=$((links + 1))
    case $link in *://*) echo "$page: $link is not offline"; failed=1; continue ;; esac
    file=${link%%#*}
    target=$(dirname "$page")/$file
    [ -n "$file" ] || target=$page
    [ -e "$target" ] || { echo "$page: there is no $link"; failed=1; continue; }
    case $link in
      *#*) anchors "$target" | grep -qxe "${link#*#}" || { echo "$page: no heading of $link"; failed=1; } ;;
    esac
  done
done

names=0
for name in $(grep -owE 'MIALLOC_[A-Z_]+[A-Z]|mia_[a-z_]+[a-z]' doc/migrating.md | sort -u); do
  names=$((names + 1))
  case $name in
    MIALLOC_*) grep -qwE "^\.BR? $name" man/mialloc.7 ;;
    *) grep -rqE "[^a-z_]$name\(" include ;;
  esac || { echo "doc/migrating.md: there is no $name"; failed=1; }
done

figures=$(grep -c '^|.*[0-9] / [0-9]' README.md)
grep '^|.*[0-9] / [0-9]' README.md | while IFS= read -r row; do
  grep -qxFe "$row" doc/performance.md || { echo "README.md: not in doc/performance.md: $row"; exit 1; }
done || failed=1
[ "$links" -gt 30 ] && [ "$figures" -gt 3 ] && [ "$names" -gt 20 ] || {
  echo "only $links links, $figures rows and $names names were found"
  failed=1
}
echo "$links links, $figures rows, $names names examined"
exit $failed
