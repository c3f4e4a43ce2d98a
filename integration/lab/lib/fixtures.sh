# shellcheck shell=bash
# Data directories of real older servers, out of Debian's mysql-testsuite (338 MB, so only when asked for):
#
#   8.4.8   cleanly stopped     8.0.28-dirty   stopped with innodb_fast_shutdown=2     8.0.18   cleanly stopped
#
# Not a part of the recipe: they do not depend on it.

FIXTURES=$LAB_DIR/fixtures

# fixtures: gets them once, and prints where they are.
fixtures() {
  lock fixtures 900
  [ -d "$FIXTURES" ] || get_fixtures
  exec 9>&-
  echo "$FIXTURES"
}

get_fixtures() {
  local new=$FIXTURES.new from=usr/lib/mysql-test/std_data
  rm -rf "$new" && mkdir -p "$new/apt" "$new/tree" "$new/ready"
  sid_apt "$new/apt" "$(mirror)"
  (cd "$new" && APT_CONFIG=$new/apt/apt.conf apt-get download -q mysql-testsuite >/dev/null)
  dpkg-deb --fsys-tarfile "$new"/mysql-testsuite_*.deb | tar -x -C "$new/tree" "./$from/upgrade/mysql_inplace_upgrade84_lctn0.zip" \
    "./$from/upgrade/data_80018.zip" "./$from/instant_ddl/crashed_datadir.zip"
  fixture "$new" "$from/upgrade/mysql_inplace_upgrade84_lctn0.zip" data 8.4.8
  fixture "$new" "$from/upgrade/data_80018.zip" data_80018 8.0.18
  fixture "$new" "$from/instant_ddl/crashed_datadir.zip" data 8.0.28-dirty
  mv -T "$new/ready" "$FIXTURES"
  rm -rf "$new"
}

# fixture NEW ZIP TOP NAME: unpacks TOP of ZIP as NAME.
fixture() {
  mkdir "$1/unpacked"
  unzip -q -d "$1/unpacked" "$1/tree/$2"
  mv -T "$1/unpacked/$3" "$1/ready/$4"
  rm -r "$1/unpacked"
}
