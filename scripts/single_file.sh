#!/bin/sh
# prismctl @VERSION@ for @SYSTEM@ @PROCESSOR@, in one file: unpacks itself once, then runs from where it was unpacked.
# Needs Python 3.11 or newer; PRISM_PYTHON names one, PRISM_APP_DIR another place to unpack to.
set -eu

say() {
    printf 'error: %s\n' "$1" >&2
    [ -z "${2:-}" ] || printf '\nhint: %s\n' "$2" >&2
}

app=${PRISM_APP_DIR:-${XDG_DATA_HOME:-${HOME:?HOME is not set}/.local/share}/prismctl/app}/@VERSION@-@HASH@
if [ -x "$app/bin/python" ]; then
    exec "$app/bin/python" "$app/bin/prismctl" "$@"
fi

system=$(uname -s | tr '[:upper:]' '[:lower:]')
case $(uname -m) in
    x86_64 | amd64) processor=amd64 ;;
    aarch64 | arm64) processor=arm64 ;;
    *) processor=$(uname -m) ;;
esac
if [ "$system $processor" != "@SYSTEM@ @PROCESSOR@" ]; then
    say "this prismctl is for @SYSTEM@ @PROCESSOR@; this machine is $system $processor" \
        "take the file for it, or \`pipx install prismctl\`"
    exit 3
fi

python=
for name in ${PRISM_PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
    # A name on PATH may be a version manager's empty promise, or too old.
    found=$("$name" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
    case " @PYTHONS@ " in
        *" $found "*)
            python=$name
            break
            ;;
    esac
done
if [ -z "$python" ]; then
    say "prismctl needs one of Python @PYTHONS@, and none is on PATH" "install one, or name it: PRISM_PYTHON=/path/to/python3"
    exit 3
fi

printf 'unpacking prismctl @VERSION@, once, to %s\n' "$app" >&2
"$python" -I - "$0" "$app" <<'UNPACK'
import json
import os
import shutil
import sys
import sysconfig
import zipfile

file, app = sys.argv[1:]
python = "%d.%d" % sys.version_info[:2]
temporary = "%s.%d" % (app, os.getpid())
scripts = os.path.join(temporary, "bin")


def unpack():
    with zipfile.ZipFile(file) as archive:
        description = json.loads(archive.read("single-file.json"))
        site = os.path.join(temporary, "lib", "python" + python, "site-packages")
        for member in archive.infolist():
            group, _, name = member.filename.partition("/")
            if group not in ("all", python):
                continue
            path = os.path.join(site, *name.split("/"))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with archive.open(member) as source, open(path, "wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
            os.chmod(path, (member.external_attr >> 16) & 0o755)
    os.makedirs(scripts)
    base = os.path.realpath(sys.executable)
    os.symlink(base, os.path.join(scripts, "python"))
    with open(os.path.join(temporary, "pyvenv.cfg"), "w") as config:
        config.write("home = %s\nversion = %s\n" % (os.path.dirname(base), python))
    for name, where in description["commands"].items():
        module, _, function = where.partition(":")
        path = os.path.join(scripts, name)
        with open(path, "w") as script:
            # Through sh, because the path of an interpreter behind #! may have neither blanks nor many characters.
            script.write(
                "#!/bin/sh\n"
                "'''exec' \"$(dirname \"$0\")/python\" \"$0\" \"$@\"\n"
                "' '''\n"
                "import sys\nfrom %s import %s\nsys.exit(%s())\n" % (module, function, function)
            )
        os.chmod(path, 0o755)
    # Python keeps what it compiles as it goes, which is half of the time from here to a stack. Where it may not keep
    # anything, or those who run it may not be those who can write here, all is compiled now.
    if os.environ.get("PYTHONDONTWRITEBYTECODE") or os.environ.get("PRISM_APP_DIR"):
        import compileall

        compileall.compile_dir(site, quiet=2, workers=1)


try:
    os.makedirs(os.path.dirname(app), mode=0o700, exist_ok=True)
    unpack()
    try:
        os.rename(temporary, app)
    except OSError:
        # Another call was faster, or what is there is of a Python that has gone.
        if os.access(os.path.join(app, "bin", "python"), os.X_OK):
            shutil.rmtree(temporary)
        else:
            old = temporary + ".old"
            os.rename(app, old)
            os.rename(temporary, app)
            shutil.rmtree(old)
except OSError as error:
    shutil.rmtree(temporary, ignore_errors=True)
    sys.stderr.write("error: cannot unpack prismctl to %s: %s\n\n" % (app, error.strerror))
    sys.stderr.write("hint: name another place: PRISM_APP_DIR=/somewhere\n")
    sys.exit(1)
except zipfile.BadZipFile:
    shutil.rmtree(temporary, ignore_errors=True)
    sys.stderr.write("error: %s is damaged\n\nhint: fetch it again\n" % file)
    sys.exit(1)
except BaseException:
    shutil.rmtree(temporary, ignore_errors=True)
    raise
UNPACK
exec "$app/bin/python" "$app/bin/prismctl" "$@"
exit 1
