#!/bin/bash -eu
# SPDX-License-Identifier: MIT
# Builds the fuzz targets as OSS-Fuzz wants them: CC, CXX, CFLAGS, CXXFLAGS, LIB_FUZZING_ENGINE and OUT are given.
autoreconf -i
mkdir -p oss-fuzz
cd oss-fuzz
../configure --disable-shared --disable-override CC="$CC" CFLAGS="$CFLAGS"
make -j2 libmiacore.la
for target in api bitmap; do
  # shellcheck disable=SC2086 # words
  $CC $CFLAGS -DFUZZ_ENGINE -DHAVE_CONFIG_H -I. -I../include -I../src -I../tests \
    -c ../tests/fuzz/$target.c -o $target.o
  # shellcheck disable=SC2086
  $CXX $CXXFLAGS $target.o .libs/libmiacore.a $LIB_FUZZING_ENGINE -pthread -o "$OUT/$target"
  (cd ../tests/fuzz/corpus/$target && zip -qr "$OUT/${target}_seed_corpus.zip" .)
done
