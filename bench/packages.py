# SPDX-License-Identifier: MIT
"""packages.py -- the peers, and how to have them: Debian's packages, and a chroot with the newest.
"""
import os
import platform
import shlex
import shutil
import subprocess
import sys

from programs import PROGRAMS

PEERS = {  # name: packages, of which a suite has one or none, and the pattern of its file
    "mimalloc2": (("libmimalloc2.0",), "libmimalloc.so.2*"),
    "mimalloc3": (("libmimalloc3",), "libmimalloc.so.3*"),
    "jemalloc": (("libjemalloc2",), "libjemalloc.so.2"),
    "tcmalloc": (("libtcmalloc-minimal4", "libtcmalloc-minimal4t64"), "libtcmalloc_minimal.so.4"),
}


def fail(what):
    sys.exit(f"bench/run: {what}")


def output_of(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def apt_get(*arguments):
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    subprocess.run(["apt-get", "-qy", *arguments], check=True, env=environment, stdout=subprocess.DEVNULL)


def install(*packages):
    """Installs the packages that are missing and that this suite of Debian has."""
    apt_get("update")
    known_here = set(output_of("apt-cache", "pkgnames").split())
    status = lambda p: output_of("dpkg-query", "-W", "-f", "${db:Status-Status}", p)
    missing = [p for p in packages if p in known_here and status(p) != "installed"]
    if missing:
        apt_get("install", "--no-install-recommends", *missing)


def bring_peers():
    """Installs the peers that are missing; says how, if that is another's right."""
    missing = [packages[0] for packages, _ in PEERS.values()
               if not any(output_of("dpkg-query", "-W", "-f", "${db:Status-Status}", p) == "installed" for p in packages)]
    known_here = set(output_of("apt-cache", "pkgnames").split()) if shutil.which("apt-get") else set()
    missing = [p for p in missing if p in known_here]
    if missing and os.geteuid() == 0:
        print(f"bench/run: installing {' '.join(missing)}", file=sys.stderr, flush=True)
        install(*missing)
    elif missing:
        print(f"bench/run: to compare with more allocators: sudo apt-get install {' '.join(missing)}", file=sys.stderr)


def install_all():
    install(*(p for packages, _ in PEERS.values() for p in packages), *(row[1] for row in PROGRAMS),
            "gnuplot-nox")


def version(name):
    """Returns the version of a peer's package or of the libc; empty if there is none."""
    if name == "libc":
        return " ".join(platform.libc_ver()).strip()
    versions = (output_of("dpkg-query", "-W", "-f", "${Version}", p) for p in PEERS.get(name, ((), ""))[0])
    return next((f"{name} {v}" for v in versions if v), "")


def make_newest(root):
    """Makes a folder that has Debian's suite sid, from the mirror that this system uses."""
    install("debootstrap")
    mirrors = output_of("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages",
                        "Label: Debian", "Component: main").split()
    if not mirrors:
        fail("apt has no mirror of Debian")
    unfinished = root + ".unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    os.makedirs(unfinished)
    subprocess.run(["debootstrap", "--variant=minbase", "--include=python3", "sid", unfinished, mirrors[0]],
                   check=True, stdout=subprocess.DEVNULL)
    with open(os.path.join(unfinished, "etc/apt/apt.conf.d/snapshot"), "w", encoding="ascii") as f:
        f.write('Acquire::Check-Valid-Until "false"; // the mirror may be a snapshot\n')
    os.rename(unfinished, root)


def run_in_newest(here, build, out, options):
    """Runs HERE/run in the chroot, which sees the folders that it needs.  Does not return."""
    if os.geteuid() != 0:
        fail("--newest: only root can make a chroot")
    root = os.path.join(build, "bench", "newest")
    if not os.path.isdir(root):
        make_newest(root)
    named = [(name, os.path.abspath(path)) for name, _, path in (n.partition("=") for n in options.named)]
    arguments = [build, *(f"{name}={path}" for name, path in named), "--install", "--out", out,
                 *(f"--{flag}" for flag in ("quick", "scale", "lines", "floor") if getattr(options, flag)),
                 *(f"--{o}={getattr(options, o)}" for o in ("rounds", "rows", "base", "only") if getattr(options, o))]
    mounts = ['mount -t proc proc "$0/proc"', 'mount --rbind /dev "$0/dev"']
    for folder in sorted({build, out, os.path.dirname(here), *(os.path.dirname(path) for _, path in named)}):
        os.makedirs(root + folder, exist_ok=True)
        mounts.append(f'mount --bind {shlex.quote(folder)} "$0"{shlex.quote(folder)}')
    command = " && ".join([*mounts, 'exec chroot "$0" python3 "$@"'])
    os.execvp("unshare", ["unshare", "--mount", "sh", "-c", command, root, os.path.join(here, "run"), *arguments])
