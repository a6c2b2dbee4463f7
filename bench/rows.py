# SPDX-License-Identifier: MIT
"""rows.py -- what bench/run measures: workloads of bench/loads, one per line.

A row is one kind of behaviour at one scale.  The sources in bench/loads say which
programs behave like that.  `cpu': one thread, measured in processor time; `wall':
several threads, measured by the wall clock.  A scale is one kind of behaviour at
several scales.
"""

# group, name, clock, MiB that a run uses at most, whether it is in the quick run, command
ROWS = [
    ("one thread", "pairs-16", "cpu", 16, True, "pairs 16 40"),
    ("one thread", "pairs-256", "cpu", 16, False, "pairs 256 40"),
    ("one thread", "pairs-4K", "cpu", 16, False, "pairs 4096 30"),
    ("one thread", "pairs-64K", "cpu", 16, True, "pairs 65536 4"),
    ("one thread", "pairs-1M", "cpu", 16, False, "pairs 1048576 2"),
    ("one thread", "lifo-64", "cpu", 16, True, "batches 64 0 30"),
    ("one thread", "lifo-1K", "cpu", 16, False, "batches 1024 0 15"),
    ("one thread", "fifo-64", "cpu", 16, False, "batches 64 1 30"),
    ("one thread", "fifo-1K", "cpu", 16, True, "batches 1024 1 15"),
    ("one thread", "replace-small", "cpu", 32, True, "replace 1 100000 256 8000"),
    ("one thread", "replace-mixed", "cpu", 64, False, "replace 1 50000 8192 6000"),
    ("one thread", "trees", "cpu", 64, True, "trees 16 20"),
    ("one thread", "strings", "cpu", 64, True, "strings 500"),
    ("one thread", "arrays-150%", "cpu", 320, True, "arrays 150 65536 6"),
    ("one thread", "arrays-64K", "cpu", 320, False, "arrays 0 65536 3"),
    ("one thread", "arrays-small", "cpu", 16, False, "arrays 110 4 50000"),
    ("one thread", "zeroed", "cpu", 64, True, "zeroed 65536 1500"),
    ("one thread", "buffers", "cpu", 64, True, "buffers 64 4096 4 8"),
    ("one thread", "buffers-many", "cpu", 256, False, "buffers 64 1024 200 6"),
    ("one thread", "aligned-64", "cpu", 16, False, "aligned 64 2048 8000"),
    ("one thread", "aligned-4K", "cpu", 64, False, "aligned 4096 16384 2000"),
    ("one thread", "medium-100", "cpu", 64, True, "ranges 100 32768 131072 1500000"),
    ("one thread", "medium-held", "cpu", 320, False, "ranges 4000 33000 100000 0 1"),
    ("one thread", "huge-1", "cpu", 320, False, "ranges 1 35651584 209715200 10000"),
    ("one thread", "huge-2", "cpu", 640, False, "ranges 2 35651584 209715200 10000"),
    ("one thread", "huge-filled", "cpu", 320, False, "ranges 1 35651584 209715200 60 1"),
    ("one thread", "grow-50", "cpu", 128, True, "grow 50 2"),
    ("one thread", "grow-250", "cpu", 512, False, "grow 250 1"),
    ("one thread", "live-10M", "cpu", 1024, False, "replace 1 10000000 256 4000"),
    ("threads", "replace-2", "wall", 64, True, "replace 2 50000 1024 6000"),
    ("threads", "replace-8", "wall", 128, False, "replace 8 20000 1024 1500"),
    ("threads", "pipeline-1", "wall", 32, True, "pipeline 1 1024 16000"),
    ("threads", "pipeline-4", "wall", 64, False, "pipeline 4 1024 4000"),
    ("threads", "pipeline-large", "wall", 128, False, "pipeline 1 16384 8000"),
    ("threads", "exchange-2", "wall", 64, True, "exchange 2 50000 1024 6000"),
    ("threads", "exchange-8", "wall", 64, False, "exchange 8 50000 1024 6000"),
    ("threads", "sessions-4", "wall", 64, True, "sessions 4 5000 1024 60"),
    ("threads", "sessions-16", "wall", 64, False, "sessions 16 2000 1024 40"),
    ("threads", "bursts-2", "wall", 64, True, "bursts 2 2000 1024 16000"),
    ("threads", "bursts-8", "wall", 64, False, "bursts 8 2000 1024 16000"),
    ("threads", "relay-8", "wall", 64, True, "relay 8 5000 1024 40000 20"),
    ("threads", "relay-large", "wall", 128, False, "relay 8 1000 4096 10000 20 64"),
    ("threads", "swap-2", "wall", 64, False, "swap 2 5000 16384 8000"),
    ("threads", "owned", "wall", 16, False, "owned 400"),
    ("threads", "sweep-2", "wall", 16, False, "sweep 2 20000 512 50"),
    ("threads", "chunks-2", "wall", 128, False, "chunks 2 40"),
    ("threads", "latency-2", "wall", 64, False, "latency 2 20000 1000"),
    ("threads", "threads", "wall", 16, True, "threads 20000 50"),
    ("start and end", "tiny", "wall", 16, True, "tiny 300"),
    ("start and end", "ladder-4K", "cpu", 512, False, "ladder 48 4"),
    ("start and end", "ladder-64K", "cpu", 512, True, "ladder 48 64"),
    ("start and end", "idle-100", "cpu", 512, True, "idle 256 100"),
    ("start and end", "idle-8000", "cpu", 512, False, "idle 256 8000"),
    ("start and end", "survivors", "cpu", 512, False, "idle 256 100 20"),
]

# name: title, what grows, thousands of steps, [amount of it, command]; the command prints
# "work SECONDS", or "none" if the allocator lacks the feature
SCALES = {
    "blocks": ("One thread replaces a block of up to 256 bytes", "live blocks", 4000,
               [(10**n, f"replace 1 {10**n} 256 4000") for n in range(1, 8)]),
    "heap": ("One thread replaces a block of 60 to 68 KiB", "MiB of live blocks", 400,
             [(4**n, f"replace 1 {4**n * 16} 8192 400 61440") for n in range(8)]),
    "threads": ("Threads replace blocks of up to 1 KiB, 64,000 live ones in all", "threads", 6400,
                [(2**n, f"replace {2**n} {64000 >> n} 1024 {6400 >> n}") for n in range(7)]),
    "space": ("Blocks of 8 KiB and of 1.1 MB beside untouched ones", "GiB of address space in use", 20,
              [(4**n, f"space {4**n} 20") for n in range(6)]),
    "pool": ("One thread replaces small blocks beside what another left half free", "MiB left", 2000,
             [(4**n, f"pool {4**n} 2000") for n in range(7)]),
    "heaps": ("A heap comes and goes, and another is used", "live heaps", 20,
              [(10**n, f"heaps {10**n} 20") for n in range(6)]),
    "arenas": ("A heap comes and goes beside heaps in arenas of their own", "arenas", 20,
               [(4**n, f"heaps {4**n} 20 16") for n in range(6)]),
}

# What bench/lines counts, for 2 to 64 processors: programs of bench/loads that make some 16,000
# calls of malloc and free.  The first ones are not counted.
LINES_SKIPPED = 4000


def _lines(title, command, most=64):
    counts = [n for n in (2, 4, 16, 64) if n <= most]
    return (title, "processors", None, [(n, command(n)) for n in counts])


LINES = {
    "exchange": _lines("All threads replace blocks of one table", lambda n: f"exchange {n} 1000 1024 8"),
    "bursts": _lines("Bursts of blocks, of which each sixteenth goes to another thread",
                     lambda n: f"bursts {n} 200 1024 128"),
    "swap": _lines("Threads replace blocks of their own, and swap each fourth", lambda n: f"swap {n} 500 4096 8"),
    "pipeline": _lines("Pairs of threads: one allocates, the other frees",
                       lambda n: f"pipeline {n // 2} 1024 {64 // n}", most=16),
    "sessions": _lines("Threads take over what others left", lambda n: f"sessions {n} {1024 // n} 1024 2"),
    "relay": _lines("Threads replace blocks, and pass their tables on",
                    lambda n: f"relay {n} {1024 // n} 1024 {2048 // n} 3"),
}
