# shellcheck shell=bash
# Where Debian sid comes from. Not a part of the recipe: the same cache whatever the mirror.

# mirror: prints the Debian mirror of this machine. apt itself reads its sources, so every format that it knows will do;
# --no-release-info also lists what was never downloaded.
mirror() {
  local codename
  [ -n "${LAB_MIRROR:-}" ] && echo "$LAB_MIRROR" && return
  # shellcheck source=/dev/null
  codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
  # shellcheck disable=SC2016 # apt's own variables
  apt-get indextargets --no-release-info --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    awk -v codename="$codename" '
      $3 != "main" || $1 ~ /security/ || ($2 != codename && $2 !~ /^(oldstable|stable|testing|sid|unstable)$/) { next }
      { others = others ? others : $1 }              # third-party sources may use the same names
      $1 ~ /\/debian\/?$/ { mirror = mirror ? mirror : $1 }
      END { print mirror ? mirror : others }'
}

# sid_apt FOLDER: sets up an apt of its own for sid in FOLDER, which touches nothing of this machine's apt.
sid_apt() {
  mkdir -p "$1/lists/partial" "$1/cache/archives/partial"
  : >"$1/status"
  # The index of a mirror that is not updated any more passes its Valid-Until date; its signature is still checked.
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg check-valid-until=no] $2 sid main" >"$1/sources.list"
  cat >"$1/apt.conf" <<CONF
Dir::Etc::sourcelist "$1/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::Lists "$1/lists";
Dir::State::status "$1/status";
Dir::Cache "$1/cache";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "3";
CONF
  APT_CONFIG=$1/apt.conf apt-get update -q >/dev/null
}
