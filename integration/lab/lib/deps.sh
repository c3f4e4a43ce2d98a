# shellcheck shell=bash
# What the machine needs to have installed.

# Package, and a file that proves it is there.
DEPS=(
  mmdebstrap:/usr/bin/mmdebstrap systemd-container:/usr/bin/systemd-nspawn nftables:/usr/sbin/nft
  iproute2:/usr/sbin/ip patchelf:/usr/bin/patchelf gcc:/usr/bin/gcc libc6-dev:/usr/include/dlfcn.h
  dpkg-dev:/usr/bin/dpkg-deb apt-utils:/usr/bin/apt-ftparchive gpg:/usr/bin/gpg gpg-agent:/usr/bin/gpg-agent
  btrfs-progs:/usr/bin/btrfs xfsprogs:/usr/sbin/mkfs.xfs e2fsprogs:/usr/sbin/mkfs.ext4
  debian-archive-keyring:/usr/share/keyrings/debian-archive-keyring.gpg unzip:/usr/bin/unzip
)

deps() {
  local dep missing=()
  for dep in "${DEPS[@]}"; do
    [ -e "${dep#*:}" ] || missing+=("${dep%%:*}")
  done
  [ ${#missing[@]} = 0 ] && return 0
  say "installing ${missing[*]}"
  # A third-party source that does not answer must not stop us: apt says which, and the install decides.
  apt-get update -q -o Acquire::Retries=3 >/dev/null || say "apt-get update complained; going on"
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null
}
