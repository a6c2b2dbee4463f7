# SPDX-License-Identifier: MIT
"""programs.py -- well-known programs as workloads, with inputs that are made here.

Each is (name, package, clock, MiB, quick, make).  make(folder) writes the input of
the program and returns its command, a list, and additions to the environment; it
returns None if something is missing.
"""
import os
import random
import shutil
import subprocess


def _write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="ascii") as f:
        f.write(text)
    return path


def _have(*names):
    return all(shutil.which(n) for n in names)


def _words(n, seed=1):
    r = random.Random(seed)
    letters = "abcdefghijklmnopqrstuvwxyz"
    return ["".join(r.choices(letters, k=r.randint(2, 12))) for _ in range(n)]


def python(folder):
    script = _write(folder, "work.py", """
import json, re
table = {}
for i in range(120000):
    table["key%d" % (i % 40000)] = [i, str(i) * 3, (i, i + 1)]
text = json.dumps(table)
again = json.loads(text)
words = re.findall(r"[0-9]+", text)
words.sort()
print(len(again), len(words), sum(len(v) for v in again.values()))
""")
    return ["python3", "-S", script], {"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "1"}


def perl(folder):
    script = _write(folder, "work.pl", """
my (%h, @a);
for my $i (1 .. 400000) { my $k = "k" . ($i % 50000); $h{$k} .= "x$i"; push @a, "$k:$i" if $i % 3 == 0; }
my $t = join(",", map { substr($h{$_}, 0, 20) } sort keys %h);
my @w = split /,/, $t;
print scalar(@w), " ", scalar(@a), " ", length($t), "\\n";
""")
    return ["perl", script], {"PERL_HASH_SEED": "0"}


def lua(folder):
    script = _write(folder, "work.lua", """
local t = {}
for i = 1, 600000 do t[i % 60000 + 1] = { id = i, name = "n" .. i, list = { i, i + 1, i + 2 } } end
local parts = {}
for i, v in ipairs(t) do parts[#parts + 1] = v.name .. "," .. #v.list end
print(#table.concat(parts, ";"))
""")
    return ["lua5.4", script], {}


def sqlite(folder):
    script = _write(folder, "work.sql", """
create table t(a integer primary key, b text, c real);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 150000)
insert into t select i, printf('row %d of many', (i * 7919) % 150000), i * 1.5 from n;
create index tb on t(b);
select count(*), sum(length(b)) from t where b like '%9%';
select substr(b, 1, 6) k, count(*), group_concat(a) from t group by k order by k limit 5;
update t set c = c + 1 where a % 3 = 0;
""")
    return ["sh", "-c", 'exec sqlite3 :memory: <"$1" >/dev/null', "sh", script], {}


def redis(folder):
    script = _write(folder, "redis.sh", f"""
cd {folder}
redis-server --port 0 --unixsocket {folder}/s --save '' --appendonly no --daemonize no >/dev/null &
server=$!
n=0
while [ ! -S {folder}/s ] && [ $n -lt 200 ]; do sleep 0.02; n=$((n + 1)); done
redis-benchmark -s {folder}/s -q -n 60000 -c 20 -P 16 -r 20000 -d 200 -t set,get,lpush,lpop,sadd,hset >/dev/null
status=$?
kill $server
wait $server
rm -f {folder}/s
exit $status
""")
    return ["sh", script], {}


def jq(folder):
    rows = ",\n".join('{"id":%d,"name":"%s","tags":["%s","%s"],"v":%d.5}' % (i, w, w[:2], w[-2:], i * 3)
                      for i, w in enumerate(_words(60000)))
    data = _write(folder, "data.json", "[" + rows + "]\n")
    return ["jq", "-c", "group_by(.tags[0]) | map({k: .[0].tags[0], n: length, s: (map(.v) | add)})", data], {}


def xmllint(folder):
    rows = "\n".join(f'<row id="{i}"><name>{w}</name><value unit="x">{i * 7}</value></row>'
                     for i, w in enumerate(_words(80000)))
    data = _write(folder, "data.xml", f"<?xml version='1.0'?>\n<rows>\n{rows}\n</rows>\n")
    return ["xmllint", "--xpath", "count(//row[value > 1000])", data], {}


def gawk(folder):
    data = _write(folder, "words.txt", "\n".join(" ".join(_words(12, i)) for i in range(25000)) + "\n")
    program = '{ for (i = 1; i <= NF; i++) { n[$i]++; s[substr($i, 1, 3)] = s[substr($i, 1, 3)] " " i } } ' \
              'END { m = asorti(n, k); print m, length(s) }'
    return ["gawk", program, data], {}


def z3(folder):
    lines = ["(set-logic QF_LIA)"]
    r = random.Random(7)
    lines += [f"(declare-const x{i} Int) (assert (and (> x{i} 0) (< x{i} 200)))" for i in range(60)]
    for _ in range(150):
        a, b, c = r.sample(range(60), 3)
        lines.append(f"(assert (or (< (+ x{a} x{b}) (* 2 x{c})) (> (- x{a} x{c}) {r.randint(1, 60)})))")
    lines.append("(check-sat)")
    return ["z3", _write(folder, "work.smt2", "\n".join(lines) + "\n")], {}


def gs(folder):
    pages = "\n".join(f"/Helvetica findfont {8 + i % 9} scalefont setfont "
                      + " ".join(f"{20 + k * 7} {30 + (k * 53) % 700} moveto (page {i} word {k}) show" for k in range(60))
                      + " showpage" for i in range(60))
    return ["gs", "-q", "-dBATCH", "-dNOPAUSE", "-dSAFER", "-sDEVICE=png16m", "-r60", "-sOutputFile=/dev/null",
            _write(folder, "work.ps", "%!PS\n" + pages + "\n")], {}


def _c_source(functions):
    parts = ["#include <stdio.h>\n#include <string.h>\n#include <stdlib.h>\n"]
    for i in range(functions):
        parts.append(f"""struct s{i} {{ int a, b; char name[{i % 30 + 2}]; }};
int f{i}(struct s{i} *p, int n) {{
  int sum = 0;
  for (int k = 0; k < n; k++) {{
    switch ((p->a + k) % 5) {{
      case 0: sum += p->b * k; break;
      case 1: sum ^= k << {i % 7}; break;
      case 2: p->name[k % sizeof p->name] = (char)sum; break;
      default: sum -= (int)strlen(p->name);
    }}
  }}
  return sum;
}}
""")
    return "".join(parts)


def cc1(folder):
    return ["gcc", "-O2", "-S", "-o", "/dev/null", _write(folder, "work.c", _c_source(400))], {}


def _cxx_source():
    uses = "\n".join(f"""struct k{i} {{ int v; bool operator<(k{i} const &o) const {{ return v < o.v; }} }};
int u{i}() {{
  std::map<k{i}, std::vector<std::string>> m;
  m[k{i}{{1}}].push_back("x");
  std::function<int(int)> f = [&m](int n) {{ return n + (int)m.size(); }};
  return f({i});
}}""" for i in range(20))
    return "#include <algorithm>\n#include <functional>\n#include <map>\n#include <string>\n#include <vector>\n" + uses + "\n"


def cc1plus(folder):
    return ["g++", "-std=c++17", "-O1", "-S", "-o", "/dev/null", _write(folder, "work.cpp", _cxx_source())], {}


def clang(folder):
    return ["clang", "-O2", "-S", "-o", "/dev/null", _write(folder, "work-clang.c", _c_source(250))], {}


def lld(folder):
    objects = []
    for i in range(40):
        functions = (f"int g{i}_{k}(int n) {{ return n * {k} + {i}; }}\n"
                     f"const char *t{i}_{k} = \"text {i} {k}\";\n" for k in range(400))
        source = _write(folder, f"o{i}.c", "".join(functions))
        objects.append(source[:-1] + "o")
        subprocess.run(["gcc", "-c", "-g", "-O1", "-ffunction-sections", "-o", objects[-1], source], check=True)
    return ["ld.lld", "-shared", "--gc-sections", "--build-id", "-o", os.path.join(folder, "out.so"), *objects], {}


def git(folder):
    repo = os.path.join(folder, "repo")
    os.mkdir(repo)
    run = lambda *args, **more: subprocess.run(["git", "-C", repo, *args], check=True, capture_output=True, **more)
    run("init", "-q")
    stream = []
    words = _words(2000)
    for n in range(400):
        text = "\n".join(" ".join(words[(n * 13 + i * 7 + k) % 2000] for k in range(8)) for i in range(200)) + "\n"
        stream.append(f"commit refs/heads/main\ncommitter A <a@example.org> {1600000000 + n} +0000\ndata 4\nmore\n"
                      f"M 100644 inline f{n % 20}\ndata {len(text)}\n{text}\n")
    run("fast-import", "--quiet", input="".join(stream).encode("ascii"))
    return ["git", "-C", repo, "log", "-p", "--stat", "refs/heads/main"], {"GIT_PAGER": "cat"}


def node(folder):
    script = _write(folder, "work.js", """
const m = new Map();
for (let i = 0; i < 300000; i++) m.set('k' + (i % 30000), { id: i, list: [i, i + 1], text: 'n' + i });
const s = JSON.stringify([...m]);
const b = [];
for (let i = 0; i < 200; i++) b.push(Buffer.from(s.slice(i * 100, i * 100 + 60000)));
console.log(JSON.parse(s).length, Buffer.concat(b).length);
""")
    return ["node", script], {}


PROGRAMS = [
    ("python3", "python3", "cpu", 256, True, python),
    ("perl", "perl", "cpu", 256, False, perl),
    ("lua", "lua5.4", "cpu", 128, False, lua),
    ("sqlite3", "sqlite3", "cpu", 128, True, sqlite),
    ("redis", "redis-server", "wall", 128, False, redis),
    ("jq", "jq", "cpu", 256, True, jq),
    ("xmllint", "libxml2-utils", "cpu", 256, False, xmllint),
    ("gawk", "gawk", "cpu", 128, False, gawk),
    ("z3", "z3", "cpu", 256, False, z3),
    ("gs", "ghostscript", "cpu", 128, False, gs),
    ("cc1", "gcc", "cpu", 256, True, cc1),
    ("cc1plus", "g++", "cpu", 512, False, cc1plus),
    ("clang", "clang", "cpu", 256, False, clang),
    ("lld", "lld", "wall", 256, False, lld),
    ("git", "git", "cpu", 128, False, git),
    ("node", "nodejs", "wall", 256, False, node),
]

# The command to look for, where it is not the name of the row.
COMMANDS = {"lua": "lua5.4", "redis": "redis-benchmark", "cc1": "gcc", "cc1plus": "g++", "lld": "ld.lld"}


def made(name, make, folder):
    """Returns its command and environment, or None if the program is not installed."""
    if not _have(COMMANDS.get(name, name)):
        return None
    folder = os.path.join(folder, name)
    os.mkdir(folder)
    return make(folder)
