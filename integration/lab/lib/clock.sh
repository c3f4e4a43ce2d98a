# shellcheck shell=bash
# A wall clock of its own for each host (see clock.c). The hosts share the machine's kernel, so its clock is never touched.

# own_clock HOST: before its first boot.
own_clock() {
  local root=$RUN/$1/root
  if [ ! -e "$RUN/libhostclock.so" ]; then
    gcc -O2 -Wall -U_FORTIFY_SOURCE -fPIC -shared -o "$RUN/libhostclock.so.$1" "$LAB_SRC/clock.c" -ldl
    mv -T "$RUN/libhostclock.so.$1" "$RUN/libhostclock.so"
  fi
  install -m 755 "$RUN/libhostclock.so" "$root/usr/lib/libhostclock.so"
  head -c 4096 /dev/zero >"$root/etc/lab-clock"
  chmod 644 "$root/etc/lab-clock"
  echo /usr/lib/libhostclock.so >"$root/etc/ld.so.preload"
}

# clock HOST SECONDS: its clock is that far ahead of the machine's (negative: behind), from one instant to the next.
clock() {
  local seconds=$2 byte bytes=''
  need_host "$1"
  [[ $seconds =~ ^-?[0-9]{1,9}$ ]] || die "clock HOST SECONDS: '$seconds' is not a number of seconds"
  [ -e "$RUN/$1/root/etc/lab-clock" ] || die "$1 has no clock of its own: lab.sh up ... --own-clock on"
  for byte in 0 1 2 3 4 5 6 7; do
    bytes+=$(printf '\\x%02x' $(((seconds >> (8 * byte)) & 255)))
  done
  # In place and in one write: programs have this file mapped.
  printf '%b' "$bytes" | dd of="$RUN/$1/root/etc/lab-clock" conv=notrunc bs=8 count=1 iflag=fullblock status=none
}
