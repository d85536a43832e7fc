#!/usr/bin/env bash
# Installs the native libraries that Limbic is built from: FFmpeg, ALSA, clang, and the drivers that windows and tests need.
# Quick and silent where all is there. Debian, Ubuntu and their relatives; elsewhere it says what to install.
set -euo pipefail

packages=(
  # FFmpeg, and clang to read its headers
  libavcodec-dev libavdevice-dev libavfilter-dev libavformat-dev libavutil-dev libswresample-dev libswscale-dev
  clang libclang-dev pkg-config
  # compilers and sound
  build-essential libasound2-dev
  # windows: X11 and Wayland, Vulkan and GL with their software drivers
  libgl1-mesa-dri libwayland-dev libxkbcommon-dev libxkbcommon-x11-0 libx11-xcb1 mesa-vulkan-drivers
  # a display for the smoke test, and hands and eyes for it
  imagemagick xauth xdotool xvfb
)

say() { printf 'limbic setup: %s\n' "$*" >&2; }

if ! command -v cargo >/dev/null && [ -x "$HOME/.cargo/bin/cargo" ]; then
  say "cargo is in $HOME/.cargo/bin, which is not in your PATH: run  . \"\$HOME/.cargo/env\"  first"
  exit 1
fi
if ! command -v cargo >/dev/null; then
  say "Rust is missing: install version 1.95 or newer from https://rustup.rs, then run this again"
  exit 1
fi

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
  say "this system has no apt. Install FFmpeg 5 or newer with headers, ALSA headers (Linux), clang and pkg-config, then go on."
  say "On macOS: brew install ffmpeg pkg-config. macOS and Windows have not been tried yet."
  # With FFmpeg's headers in place there is nothing to complain about.
  pkg-config --exists libavcodec libavdevice libavfilter 2>/dev/null && exit 0
  exit 1
fi

missing=()
for package in "${packages[@]}"; do
  state=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

sudo=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    say "root is needed to install: ${missing[*]}"
    exit 1
  fi
  sudo=(sudo)
fi
say "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { "${sudo[@]}" apt-get update -qq && "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
  cat "$log" >&2
  say "apt could not install everything: see above"
  exit 1
fi
