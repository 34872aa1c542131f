#!/bin/bash
# Builds the static programs of the kit for one machine: native/build.sh x64|arm64 OUTPUT
#
# Needs a Debian 12 for amd64 with the packages that native/toolchain.txt names, and Debian's archive for the libraries of
# the target (they are unpacked beside, nothing is installed). The result depends on nothing else: built again it is the
# same, byte for byte, as native/bin/SHA256SUMS says.
set -euo pipefail
export LC_ALL=C TZ=UTC SOURCE_DATE_EPOCH=1700000000

machine=${1:?x64 or arm64}
output=$(mkdir -p "${2:?a folder}" && cd "$2" && pwd)
native=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

case $machine in
x64) debian=amd64 triplet=x86_64-linux-gnu musl=x86_64-linux-musl tool= ;;
arm64) debian=arm64 triplet=aarch64-linux-gnu musl=aarch64-linux-musl tool=aarch64-linux-gnu- ;;
*) echo "no such machine: $machine" >&2; exit 2 ;;
esac

# The target's libraries, from Debian: pinned versions, but for the kernel's headers, of which only constants are used.
unpack_libraries() {
	local apt=$work/apt
	mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$work/packages" "$work/root"
	: >"$apt/status"
	local options=(-o "APT::Architecture=$debian" -o "APT::Architectures=$debian" -o APT::Sandbox::User=root
		-o "Dir::State=$apt" -o "Dir::State::status=$apt/status" -o "Dir::Cache=$apt/cache" -qq)
	apt-get "${options[@]}" update
	(cd "$work/packages" && apt-get "${options[@]}" download \
		$(sed -n 's/^target //p' "$native/toolchain.txt"))
	local package
	for package in "$work"/packages/*.deb; do dpkg-deb -x "$package" "$work/root"; done
	# The kernel's headers and three others, and nothing of glibc: musl's own come first.
	mkdir "$work/include" "$work/include/sys"
	local usr=$work/root/usr/include
	ln -s "$usr/linux" "$usr/asm-generic" "$usr/$triplet/asm" "$usr/talloc.h" "$usr/uthash.h" "$work/include/"
	# PRoot's lists: BSD's macros, in glibc's copy.
	ln -s /usr/include/x86_64-linux-gnu/sys/queue.h "$work/include/sys/queue.h"
}

compile() { # OUTPUT SOURCE FLAG...
	local object=$1 source=$2
	shift 2
	mkdir -p "$(dirname "$object")"
	"${tool}gcc-12" -c -O2 -std=gnu11 -fno-pie -ffile-prefix-map="$work"=. -ffile-prefix-map="$native"=native \
		-nostdinc -isystem "$work/root/usr/include/$musl" -isystem "$("${tool}gcc-12" -print-file-name=include)" \
		-isystem "$work/include" -D_GNU_SOURCE "$@" "$source" -o "$object"
}

link_static() { # OUTPUT OBJECT... [FLAG...]
	local program=$1 lib=$work/root/usr/lib/$musl
	shift
	"${tool}gcc-12" -static -no-pie -nostdlib -Wl,--build-id=none -Wl,-z,noexecstack -o "$program" \
		"$lib/crt1.o" "$lib/crti.o" "$@" -Wl,--start-group "$lib/libc.a" \
		"$("${tool}gcc-12" -print-libgcc-file-name)" -Wl,--end-group "$lib/crtn.o"
	"${tool}strip" --strip-all --remove-section=.comment "$program"
}

build_own() { # NAME
	compile "$work/$1.o" "$native/$1.c" -Wall -Wextra -Werror -fno-stack-protector
	link_static "$output/$1" "$work/$1.o"
}

# PRoot's own loader: a program without a libc that maps the guest's programs; on x64 also one for 32-bit guests.
build_loader() { # NAME FLAG...
	local name=$1 address=$2 part
	shift 2
	for part in loader.c assembly.S; do
		compile "$work/$name/$part.o" "$work/proot-5.4.0/src/loader/$part" -I"$work/proot-5.4.0/src" -fPIC \
			-ffreestanding -D_FILE_OFFSET_BITS=64 -w "$@"
	done
	"${tool}gcc-12" "$@" -static -nostdlib -no-pie "-Wl,--build-id=none,-Ttext=$address,-z,noexecstack" \
		-o "$work/$name.elf" "$work/$name/loader.c.o" "$work/$name/assembly.S.o"
	"${tool}strip" --strip-all --remove-section=.comment "$work/$name.elf"
}

build_proot() {
	local source=$work/proot-5.4.0/src objects=() part
	tar xzf "$native/proot/proot_5.4.0.orig.tar.gz" -C "$work"
	for part in "$native"/proot/patches/*.patch; do patch -s -p1 -d "$work/proot-5.4.0" <"$part"; done
	printf '%s\n' '#define VERSION "5.4.0"' '#define HAVE_PROCESS_VM' '#define HAVE_SECCOMP_FILTER' >"$source/build.h"

	local address
	address=$(echo LOADER_ADDRESS | "${tool}gcc-12" -E -P -DNO_LIBC_HEADER -include "$source/arch.h" - | tail -n 1)
	build_loader loader "$address"
	printf '.section .rodata\n.global _binary_loader_elf_start, _binary_loader_elf_end\n' >"$work/loaders.S"
	printf '_binary_loader_elf_start: .incbin "%s"\n_binary_loader_elf_end:\n' "$work/loader.elf" >>"$work/loaders.S"
	if [ "$machine" = x64 ]; then
		build_loader loader-m32 0xa0000000 -m32 -mregparm=3 -Wl,-m,elf_i386
		printf '.global _binary_loader_m32_elf_start, _binary_loader_m32_elf_end\n' >>"$work/loaders.S"
		printf '_binary_loader_m32_elf_start: .incbin "%s"\n_binary_loader_m32_elf_end:\n' "$work/loader-m32.elf" \
			>>"$work/loaders.S"
	fi
	printf '.section .note.GNU-stack,"",%%progbits\n' >>"$work/loaders.S"
	"${tool}gcc-12" -c "$work/loaders.S" -o "$work/loaders.o"

	for part in cli/{cli,proot,note} execve/{enter,exit,shebang,elf,ldso,auxv,aoxp} path/{binding,glue,canon,path,proc,temp} \
		syscall/{boundary,seccomp,syscall,chain,enter,exit,sysnum,socket,heap,rlimit} tracee/{tracee,mem,reg,event} \
		ptrace/{ptrace,user,wait} extension/extension extension/kompat/kompat extension/fake_id0/fake_id0 \
		extension/link2symlink/link2symlink extension/portmap/{portmap,map}; do
		compile "$work/o/$part.o" "$source/$part.c" -I"$source" -D_FILE_OFFSET_BITS=64 -w -fno-stack-protector
		objects+=("$work/o/$part.o")
	done
	compile "$work/o/shims.o" "$native/proot/musl/shims.c" -Wall -Wextra
	link_static "$output/proot" "${objects[@]}" "$work/o/shims.o" "$work/loaders.o" -Wl,--wrap=ptrace \
		"$work/root/usr/lib/$triplet/libtalloc.a"
	cp "$work/loader.elf" "$output/proot-loader"
	chmod 755 "$output/proot-loader"
}

unpack_libraries
build_proot
build_own launcher
build_own spawner
build_own userns
(cd "$output" && sha256sum launcher proot proot-loader spawner userns)
