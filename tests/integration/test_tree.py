"""The tree keeps its rules: who may include and call what, and that what is named exists.

It looks at the sources and at the libraries that were built from them, and runs nothing of limpet.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

SOURCE = pathlib.Path(os.environ.get("LIMPET_SOURCE_DIR") or pathlib.Path(__file__).parents[2])
BINARY = pathlib.Path(os.environ.get("LIMPET_BINARY_DIR") or SOURCE / "build/host")

# The libraries of the core, and what each calls of the one library that it wraps.
CORE = {
    "base": "",
    "core": "",
    "gzip": "libdeflate_",
    "http_parser": "http_",
    "ini": "ini_",
    "lz4": "LZ4_",
    "otlp": "pb_",
    "pcre2": "pcre2_",
    "sqlite": "sqlite3_",
    "zstd": "ZSTD_",
}

# What the core may leave to be linked in: pure functions of memory and numbers, and the end of the
# process after a mistake of ours. Nothing here knows the time, opens a file, or allocates.
NEUTRAL = re.compile(r"""
    mem(chr|cmp|cpy|move|set) | bcmp | strlen | strtod | snprintf
  | __(mem(cpy|move|set)|snprintf)_chk                  # The same, with _FORTIFY_SOURCE.
  | __stack_chk_(fail|guard) | _GLOBAL_OFFSET_TABLE_
  | __u?(div|mod|divmod|mul|ash[lr]|lshr|popcount|clz|ctz)[dst]i[2-4]    # The compiler's arithmetic.
  | __aeabi_\w+ | __(fix|fixuns|float|floatun)[dsx]f?[dst]i | __(fix|float)(un)?s?[dst]i[sdx]f
  | floor | ceil | fmod | trunc | round
  | __cxa_pure_virtual
  | std::__throw_\w+\(.*\) | std::__\w+::__libcpp_verbose_abort\(.*\)    # A mistake of ours.
  | std::__\w+::__itoa::\w+                             # Tables of to_chars.
""", re.VERBOSE)

CHECK_FAILED = "_ZN6limpet11CheckFailedEPKcS1_i"  # The one function of port/ that the core calls.

ALLOCATES = re.compile(r"(m|c|re|aligned_)alloc|reallocarray|(posix_)?memalign|free|str(n)?dup"
                       r"|operator (new|delete)\b.*|mmap|s?brk")

# Headers that neither allocate nor reach the system; the rest of C and C++ is for port/.
STANDARD = set("""algorithm array atomic bit bitset charconv cmath compare concepts cstddef cstdint cstring
    initializer_list limits memory new numeric optional span string_view tuple type_traits utility
    variant""".split())
STANDARD_AT = {"src/base/text.cc": {"cstdio", "cstdlib"}}  # snprintf and strtod, for numbers.

# Where a library's headers may be included: its wrapper. The program asks each for its version.
WRAPPERS = {
    r"libdeflate\.h": {"src/batch/gzip.cc"},
    r"lz4\.h": {"src/logs/lz4.cc"},
    r"zstd(_errors)?\.h": {"src/logs/zstd.cc"},
    r"pcre2\.h": {"src/logs/pattern.cc"},
    r"ini\.h": {"src/config/ini.cc"},
    r"http_parser\.h": {"src/serve/http_parser.cc"},
    r"pb(_\w+)?\.h": {"src/otlp/"},
    r"(curl|mbedtls|psa)/.*|ares\w*\.h": {"port/curl/"},
    r"sqlite3\.h": {"src/spool/sqlite.cc", "port/sqlite/"},
}
VERSIONS = "src/main/version.cc"


def tracked(*patterns):
    """The files of the repository as paths relative to its root; those of a copy without git, too."""
    listed = subprocess.run(["git", "-C", SOURCE, "ls-files", "-z"], capture_output=True, text=True)
    if listed.returncode == 0:
        names = [name for name in listed.stdout.split("\0") if name]
    else:
        names = [str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*") if path.is_file()]
        names = [name for name in names if not name.startswith(("build/", ".git/"))]
    names = [name for name in names if (SOURCE / name).is_file()]
    return sorted(name for name in names if not patterns or any(
        pathlib.PurePath(name).match(pattern) for pattern in patterns))


def text(name):
    return (SOURCE / name).read_text(encoding="utf-8")


def includes(name):
    """(bracket, header) of each #include."""
    return re.findall(r'^#\s*include\s+(["<])([^">]+)[">]', text(name), re.MULTILINE)


# What the built libraries call.

def symbols(archive):
    """Objects of an archive (or one object): {name: (defined, undefined)}, mangled."""
    output = subprocess.run(["nm", "-P", "-A", archive], capture_output=True, text=True, check=True)
    found = {}
    for line in output.stdout.splitlines():
        place, rest = line.split(": ", 1)
        place = place[place.index("[") + 1:-1] if place.endswith("]") else place
        symbol, kind = rest.split()[:2]
        found.setdefault(place, (set(), set()))[kind in "Uvw"].add(symbol)
    return found


def demangle(names):
    """{mangled: as people write it}."""
    names = sorted(names)
    output = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True,
                            check=True)
    return dict(zip(names, output.stdout.splitlines()))


def outside_calls(archive, library, ours):
    """What the objects of the archive leave undefined and may not: ["object: symbol"]."""
    objects = symbols(archive)
    plain = demangle(set().union(*(undefined for _, undefined in objects.values())))
    bad = []
    for place, (_, undefined) in sorted(objects.items()):
        for symbol in sorted(undefined):
            if symbol in ours or (library and symbol.startswith(library)):
                continue
            if not NEUTRAL.fullmatch(plain[symbol]):
                bad.append(f"{place}: {plain[symbol]}")
    return bad


def compiler():
    return shutil.which("c++") or shutil.which("g++")


def archive_of(library):
    path = BINARY / f"src/liblimpet_{library}.a"
    assert path.is_file(), f"{path} is missing: build first, or set LIMPET_BINARY_DIR"
    return path


@pytest.fixture(scope="module")
def ours():
    """What the core defines itself."""
    cache = BINARY / "CMakeCache.txt"
    if cache.is_file() and re.search(r"^CMAKE_CXX_FLAGS:.*-fsanitize", cache.read_text(), re.M):
        pytest.skip("sanitizers call what they like")
    defined = {CHECK_FAILED}
    for library in CORE:
        for here, _ in symbols(archive_of(library)).values():
            defined |= here
    return defined


@pytest.mark.parametrize("library", CORE)
def test_the_core_calls_nothing_of_the_outside(library, ours):
    bad = outside_calls(archive_of(library), CORE[library], ours)
    assert not bad, "only port/ may call these:\n" + "\n".join(bad)


@pytest.mark.parametrize("library", CORE)
def test_the_core_cannot_allocate(library, ours):
    undefined = set()
    for _, missing in symbols(archive_of(library)).values():
        undefined |= missing
    names = demangle(undefined).values()
    assert not [name for name in names if ALLOCATES.fullmatch(name)]


FAKES = {  # The call -> what it shows as; None: nothing to complain of.
    "time(nullptr)": "time",
    "clock_gettime(CLOCK_REALTIME, &ts)": "clock_gettime",
    "std::chrono::system_clock::now().time_since_epoch().count()": "std::chrono::",
    "rand()": "rand",
    "getrandom(text, 4, 0)": "getrandom",
    "open(text, 0)": "open",
    "read(0, text, 4)": "read",
    "fopen(text, text) != nullptr": "fopen",
    "socket(1, 1, 0)": "socket",
    "getenv(text) != nullptr": "getenv",
    "usleep(1)": "usleep",
    "malloc(use()) != nullptr": "malloc",
    "calloc(use(), 2) != nullptr": "calloc",
    "(kept = new int(use())) != nullptr": "operator new",
    "std::string(text, use()).size()": "operator new",
    "puts(text)": "puts",
    "errno": "__errno_location",
    "static_cast<int>(strlen(text))": None,
    "memcmp(text, &ts, use())": None,
    "static_cast<int>(strtod(text, nullptr))": None,
}
FAKE = """
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>
extern char text[];
extern timespec ts;
extern int* kept;
int use();
int fake() { return static_cast<int>(CALL); }
"""


@pytest.mark.parametrize("call, caught", FAKES.items(), ids=FAKES)
def test_the_check_itself_catches(call, caught, tmp_path):
    (tmp_path / "fake.cc").write_text(FAKE.replace("CALL", call))
    subprocess.run([compiler(), "-std=c++20", "-O1", "-fno-exceptions", "-w", "-c", "fake.cc"],
                   cwd=tmp_path, check=True)
    bad = outside_calls(tmp_path / "fake.o", "", {"text", "ts", "kept", "_Z3usev"})
    if caught is None:
        assert bad == []
    else:
        assert [name for name in bad if name.split(": ")[1].startswith(caught)], bad


# What the sources include.

def folder(name):
    return name.split("/")[1] if name.startswith("src/") else name.split("/")[0]


def core_sources():
    return [name for name in tracked("src/**/*.cc", "src/**/*.h", "src/*/*.cc", "src/*/*.h")
            if not name.startswith("src/main/")]


def test_the_core_includes_neither_the_system_nor_the_port():
    bad = []
    for name in core_sources() + tracked("include/limpet/*.h"):
        public = name.startswith("include/")
        allowed = STANDARD | STANDARD_AT.get(name, set())
        for bracket, header in includes(name):
            if bracket == "<":
                wrapped = not public and any(re.fullmatch(library, header) for library in WRAPPERS)
                fine = header in allowed or wrapped
            else:
                top = header.split("/")[0]
                fine = top == "limpet" or not public and top not in ("port", "main", "tests")
            if not fine:
                bad.append(f"{name}: {header}")
    assert not bad


def test_the_port_does_not_know_the_program():
    assert not [f"{name}: {header}" for name in tracked("port/*/*.cc", "port/*/*.h")
                for _, header in includes(name) if header.startswith("main/")]


def test_a_library_is_included_by_its_wrapper_alone():
    bad = []
    for name in tracked("src/*/*.cc", "src/*/*.h", "port/*/*.cc", "port/*/*.h"):
        for bracket, header in includes(name):
            for library, places in WRAPPERS.items():
                if bracket == '"' or name == VERSIONS or not re.fullmatch(library, header):
                    continue
                # A header would show the library's types to whoever includes it.
                if name.endswith(".h") or not name.startswith(tuple(places)):
                    bad.append(f"{name}: {header}")
    assert not bad


def test_the_map_of_folders_is_that_of_the_sources():
    """docs/architecture.md has a row for each folder of src/, and each uses only those above it."""
    rows = re.findall(r"^\| `src/(\w+)` \|.*\|([^|]*)\|$", text("docs/architecture.md"), re.M)
    written = {name: set(re.findall(r"`(\w+)`", uses)) for name, uses in rows}
    real = {}
    for name in tracked("src/*/*.cc", "src/*/*.h"):
        uses = real.setdefault(folder(name), set())
        for bracket, header in includes(name):
            if bracket == '"' and "/" in header:
                uses.add(header.split("/")[0])
    for name, uses in real.items():
        uses -= {name, "limpet"}  # Its own folder and include/limpet are for all.
    assert written == real
    above = {"port"}
    for name, uses in written.items():
        assert uses <= above, f"{name} includes what stands below it"
        above.add(name)


def test_a_source_includes_its_own_header_first():
    bad = []
    for name in tracked("src/*/*.cc", "port/*/*.cc"):
        own = pathlib.PurePath(name).with_suffix(".h")
        if (SOURCE / own).is_file() and name != VERSIONS:  # version.h is what the build says.
            if includes(name)[0][1] not in (str(own), str(own).removeprefix("src/")):
                bad.append(name)
    assert not bad


def test_each_public_header_compiles_alone():
    for name in tracked("include/limpet/*.h"):
        header = name.removeprefix("include/")
        subprocess.run([compiler(), "-std=c++20", "-fno-exceptions", "-fno-rtti", "-Wall", "-Wextra",
                        "-Werror", "-fsyntax-only", "-I", SOURCE / "include", "-x", "c++", "-"],
                       input=f'#include "{header}"\n#include "{header}"\n', text=True, check=True)


# What is named exists, and what exists is named.

@pytest.mark.parametrize("part", ["src", "port", "tests"])
def test_every_source_is_in_the_build(part):
    listed = re.sub(r"#.*", "", text(f"{part}/CMakeLists.txt"))
    words = set(re.findall(r"[\w/.-]+", listed))
    missing = []
    for name in tracked(f"{part}/*.cc", f"{part}/*/*.cc", f"{part}/*/*/*.cc"):
        name = name.removeprefix(part + "/")
        if name not in words and name.removesuffix(".cc") not in words:
            missing.append(name)
    assert not missing, f"not in {part}/CMakeLists.txt: {missing}"
    gone = [word for word in words
            if word.endswith(".cc") and not (SOURCE / part / word).is_file()]
    assert not gone, f"{part}/CMakeLists.txt names what is not there: {gone}"


def test_every_preset_and_toolchain_exists():
    presets = json.loads(text("CMakePresets.json"))["configurePresets"]
    used = {preset["toolchainFile"].split("/")[-1] for preset in presets if "toolchainFile" in preset}
    there = {pathlib.PurePath(name).name for name in tracked("toolchains/*-*.cmake")}
    assert used <= there


COMMENT = {
    ".cc": ("//",), ".h": ("//", "/*"), ".py": ('"""', "#!"), ".cmake": ("#",), ".sh": ("#",),
    ".ini": ("#", ";"), ".yaml": ("#",), ".yml": ("#",), ".service": ("#",), ".init": ("#!",),
    ".proto": ("//",), ".options": ("#",), "": ("#",),
}


def test_every_file_opens_with_what_it_is_for():
    bad = []
    for name in tracked():
        path = pathlib.PurePath(name)
        if path.suffix not in COMMENT or path.name.startswith(".") or path.name == "LICENSE":
            continue
        if name.startswith("tests/data/") or path.match("tests/*_test.cc"):
            continue  # Files of real hosts; a test is named after what it tests.
        first = text(name).split("\n", 1)[0]
        if path.suffix == ".cc" and first.startswith('#include "'):
            continue  # Its header says it.
        if not first.startswith(COMMENT[path.suffix]):
            bad.append(f"{name}: {first}")
    assert not bad


def test_no_file_names_one_machine():
    # Put together here, so that this file does not name them either.
    foreign = ["/" + "work/", "/" + "root/", "/tmp/" + "probe", "deb.debian" + ".org",
               "files.python" + "hosted", "pypi" + ".org", "proxy.golang" + ".org"]
    found = []
    for name in tracked():
        if name.startswith("tests/data/"):
            continue
        content = (SOURCE / name).read_bytes().decode("utf-8", "replace")
        for word in foreign:
            for match in re.finditer(rf"(?<![\w}})$.]){re.escape(word)}", content):
                line = content.count("\n", 0, match.start()) + 1
                found.append(f"{name}:{line}: {word}")
    assert not found


def anchor(heading):
    """A heading's name in a link."""
    heading = re.sub(r"[`*]", "", heading.strip().lower())
    return re.sub(r" ", "-", re.sub(r"[^\w\- ]", "", heading))


@pytest.mark.parametrize("name", tracked("*.md"))
def test_links_and_paths_of_documents_lead_somewhere(name):
    content = text(name)
    prose = re.sub(r"^```.*?^```", "", content, flags=re.M | re.S)
    for target in re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", prose):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, section = target.partition("#")
        there = (SOURCE / name).parent / path if path else SOURCE / name
        assert there.exists(), f"{name}: {target}"
        if section:
            headings = re.findall(r"^#+ (.+)$", there.read_text(encoding="utf-8"), re.M)
            assert section in map(anchor, headings), f"{name}: {target}"
    # Paths too, but for the things that stand for any: tests/thing_test.cc.
    tops = {path.split("/")[0] for path in tracked()}
    for word in re.findall(r"`([\w.][\w./*-]*/[\w./*-]*)`", prose):
        if word.split("/")[0] in tops and "thing" not in word:
            assert list(SOURCE.glob(word.rstrip("/"))), f"{name}: `{word}`"
