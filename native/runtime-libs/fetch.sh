#!/bin/bash
# Makes native/runtime-libs/linux-{x64,arm64}.tar.gz: the dynamic linker and the libraries that Node.js needs, from Debian
# 12, so that it starts on hosts with an older libc, or with none. Run it to take in security updates; the archives are
# kept in the repository, so that a build depends on no package suite. Needs apt-get, and nothing else of Debian.
set -euo pipefail
export LC_ALL=C TZ=UTC
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fetch() { # MACHINE DEBIAN-NAME TRIPLET LOADER
	local machine=$1 debian=$2 triplet=$3 loader=$4 apt=$work/$1/apt root=$work/$1/root result=$work/$1/linux-$1 name
	mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$work/$machine/packages" "$result/lib" "$result/licences"
	: >"$apt/status"
	local options=(-qq -o "APT::Architecture=$debian" -o "APT::Architectures=$debian" -o APT::Sandbox::User=root
		-o "Dir::State=$apt" -o "Dir::State::status=$apt/status" -o "Dir::Cache=$apt/cache")
	apt-get "${options[@]}" update
	(cd "$work/$machine/packages" && apt-get "${options[@]}" download libc6 libstdc++6 libgcc-s1 gcc-12-base)
	dpkg-deb -x "$work/$machine/packages"/gcc-12-base_*.deb "$root"
	: >"$result/VERSIONS"
	for name in libc6 libgcc-s1 libstdc++6; do
		local package=$(echo "$work/$machine/packages/${name}"_*.deb)
		dpkg-deb -x "$package" "$root"
		# The source package is in Debian's archive under this name and version.
		dpkg-deb -f "$package" Package Version Source | sed 's/^[A-Za-z]*: //' | paste -sd ' ' >>"$result/VERSIONS"
		cp -L "$root/usr/share/doc/$name/copyright" "$result/licences/$name" 2>/dev/null ||
			cp "$root/usr/share/doc/gcc-12-base/copyright" "$result/licences/$name"
	done
	for name in "$loader" libc.so.6 libm.so.6 libdl.so.2 libpthread.so.0 librt.so.1 libresolv.so.2 libnss_files.so.2 \
		libnss_dns.so.2 libgcc_s.so.1 libstdc++.so.6; do
		cp -L "$root/lib/$triplet/$name" "$result/lib/$name" 2>/dev/null ||
			cp -L "$root/usr/lib/$triplet/$name" "$result/lib/$name"
		chmod 755 "$result/lib/$name"
	done
	tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --format=ustar -C "$work/$machine" \
		-cf - "linux-$machine" | gzip -9n >"linux-$machine.tar.gz"
}

fetch x64 amd64 x86_64-linux-gnu ld-linux-x86-64.so.2
fetch arm64 arm64 aarch64-linux-gnu ld-linux-aarch64.so.1
sha256sum linux-*.tar.gz >SHA256SUMS
cat SHA256SUMS
