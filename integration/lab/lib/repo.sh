# shellcheck shell=bash
# The apt repository that the hosts use: the real MySQL of Debian sid, and the same binaries repacked as other versions.
#
# A signed repository with two components: `main` has what installs and runs, `broken` has one version newer than all,
# whose mysqld will not start (see interpose.c).

# plan_versions NEWEST: prints "role debian-version declared-version" for each package in the repository.
plan_versions() {
  local upstream=${1%%-*} series patch
  series=${upstream%.*} patch=${upstream##*.}
  [[ $upstream =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || die "cannot read the MySQL version '$1'"
  [ "$patch" -ge 2 ] || die "MySQL $upstream in sid has no two older patch versions in its series: pin LAB_MIRROR to a snapshot"
  cat <<PLAN
newest $1 $upstream
older $series.$((patch - 1))-1 $series.$((patch - 1))
oldest $series.$((patch - 2))-1 $series.$((patch - 2))
previous-series 8.4.6-1 8.4.6
broken $series.$((patch + 1))-1 $series.$((patch + 1))
PLAN
}

# repack DEBS OUT DEBIAN-VERSION DECLARED [cc flag]: the packages of DEBS under another version, into OUT.
repack() {
  local debs=$1 out=$2 version=$3 declared=$4 flag=${5:-} work name
  work=$(mktemp -d "$out/repack.XXXXXX")
  for name in mysql-server-core mysql-server; do
    dpkg-deb -R "$debs/${name}"_*.deb "$work/$name"
    sed -i -e "s/^Version: .*/Version: $version/" \
      -e "/^Depends:/s/mysql-server-core (= [^)]*)/mysql-server-core (= $version)/" \
      -e "/^Depends:/s/mysql-client (>= [^)]*)/mysql-client/" "$work/$name/DEBIAN/control"
    rm -rf "$work/$name/usr/share/doc" "$work/$name/usr/share/man"
  done
  # shellcheck disable=SC2086 # one optional flag
  gcc -O2 -Wall -U_FORTIFY_SOURCE -fPIC -shared -DDECLARED="\"$declared\"" $flag \
    -o "$work/mysql-server-core/usr/lib/mysql/libdeclaredversion.so" "$LAB_SRC/interpose.c" -ldl
  patchelf --add-needed libdeclaredversion.so "$work/mysql-server-core/usr/sbin/mysqld"
  patchelf --set-rpath /usr/lib/mysql "$work/mysql-server-core/usr/sbin/mysqld"
  for name in mysql-server-core mysql-server; do
    (cd "$work/$name" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | xargs -0 md5sum >DEBIAN/md5sums)
    dpkg-deb -Zzstd -z1 --root-owner-group -b "$work/$name" "$out/${name}_${version}_amd64.deb" >/dev/null
  done
  rm -rf "$work"
}

# make_repo DEBS REPO VERSIONS: pool, indices and signature. VERSIONS is a file that plan_versions wrote.
make_repo() {
  local debs=$1 repo=$2 versions=$3 role version declared component
  for component in main broken; do
    mkdir -p "$repo/pool/$component" "$repo/dists/lab/$component/binary-amd64"
  done
  cp "$debs"/mysql-server_*.deb "$debs"/mysql-server-core_*.deb "$repo/pool/main/"
  while read -r role version declared; do
    case $role in
      newest) ;;
      broken) repack "$debs" "$repo/pool/broken" "$version" "$declared" -DREFUSE_TO_START ;;
      *) repack "$debs" "$repo/pool/main" "$version" "$declared" ;;
    esac
  done <"$versions"
  (
    cd "$repo" || exit 1
    for component in main broken; do
      apt-ftparchive packages "pool/$component" >"dists/lab/$component/binary-amd64/Packages"
    done
    apt-ftparchive -o APT::FTPArchive::Release::Suite=lab -o APT::FTPArchive::Release::Codename=lab \
      -o APT::FTPArchive::Release::Origin=refit-lab -o APT::FTPArchive::Release::Architectures=amd64 \
      -o APT::FTPArchive::Release::Components="main broken" release dists/lab >Release.new
    mv Release.new dists/lab/Release
  )
  sign_repo "$repo"
}

# sign_repo REPO: signs with a key that exists only for this.
sign_repo() {
  local home
  home=$(mktemp -d) # short: gpg-agent's socket lives in it
  gpg --homedir "$home" --batch -q --passphrase '' --quick-generate-key 'refit lab <lab@refit.invalid>' ed25519 sign never
  gpg --homedir "$home" --batch -q --export >"$1/key.gpg"
  gpg --homedir "$home" --batch -q --digest-algo SHA512 --clearsign -o "$1/dists/lab/InRelease" "$1/dists/lab/Release"
  gpgconf --homedir "$home" --kill all
  rm -rf "$home"
}
