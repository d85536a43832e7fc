#!/usr/bin/env bash
# Opens the real window in a display server of its own and drives it by keyboard from a small dataset to a trained model.
# Usage: packaging/smoke.sh [SCREENSHOT_FOLDER]. Builds nothing that `cargo test` has not built.
set -euo pipefail
cd "$(dirname "$0")/.."

shots=${1:-}
target=${CARGO_TARGET_DIR:-target}
limbic=$target/debug/limbic
[ -x "$limbic" ] || cargo build --locked
work=$(mktemp -d)
log=$work/window.log
export LIMBIC_HOME=$work/home

# A display number that nobody uses.
display=90
while [ -e "/tmp/.X11-unix/X$display" ]; do display=$((display + 1)); done
Xvfb ":$display" -screen 0 1280x800x24 >/dev/null 2>&1 &
server=$!
window=
cleanup() {
  [ -n "$window" ] && kill "$window" 2>/dev/null || true
  kill "$server" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT
export DISPLAY=:$display
unset WAYLAND_DISPLAY

fail() { printf 'smoke test: %s\n' "$*" >&2; tail -20 "$log" >&2 || true; exit 1; }
wait_for() { # seconds, what, command …
  local left=$(($1 * 5)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    kill -0 "$window" 2>/dev/null || fail "the window died before $what"
    left=$((left - 1))
    [ "$left" -gt 0 ] || fail "no $what in time"
    sleep 0.2
  done
}
look() { # name: a picture of one colour would mean that nothing is drawn
  local colours
  import -window root "$work/$1.png"
  [ -z "$shots" ] || cp "$work/$1.png" "$shots/"
  colours=$(identify -format %k "$work/$1.png")
  [ "$colours" -gt 50 ] || fail "the page $1 is empty ($colours colours)"
}
run() { # what to run from the command palette
  xdotool key ctrl+k
  sleep 1
  xdotool type --delay 30 "$1"
  sleep 1
  xdotool key Return
  sleep 1
}
any() { compgen -G "$1"; }

focus() { # there is no window manager here that would give the window the keyboard
  local id
  for id in $(xdotool search --onlyvisible --name Limbic); do
    xdotool windowfocus "$id" && return
  done
  return 1
}

project=$work/project
mkdir -p "$project/datasets"
"$limbic" sample "$project/datasets/sample" --clips 28 --classes 2 2>"$log"
"$limbic" import "$project/datasets/sample" --out "$project/datasets/sample/manifest.json" >"$log" 2>&1

"$limbic" open "$project" >"$log" 2>&1 &
window=$!
wait_for 60 "window" xdotool search --name Limbic
wait_for 30 "focus" focus
sleep 3
look home
run "go to library"
look library
run "train umbenet on sample"
wait_for 150 "trained model" any "$project/runs/*/report.json"
for page in train runs insight live settings; do
  run "go to $page"
  look "$page"
done
kill -0 "$window" || fail "the window died"
printf 'smoke test: the window trained a model and showed every page\n'
