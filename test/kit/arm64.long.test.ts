// The static programs for arm64 on a real arm64 kernel, Debian's, in a full-system emulation. Takes a minute or two.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isRoot, needPackages, run } from '../support/machine.ts';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const reason = !isRoot
  ? 'only root can install the emulator'
  : process.arch !== 'x64' && 'this machine needs no emulation';

/** Unpacks packages for arm64 beside, without installing them. */
function unpackPackages(folder: string, names: string[]): void {
  const apt = join(folder, 'apt');
  for (const name of ['lists/partial', 'cache/archives/partial']) mkdirSync(join(apt, name), { recursive: true });
  writeFileSync(join(apt, 'status'), '');
  const settings = [
    'APT::Architecture=arm64',
    'APT::Architectures=arm64',
    'APT::Sandbox::User=root',
    `Dir::State=${apt}`,
  ];
  settings.push(`Dir::State::status=${apt}/status`, `Dir::Cache=${apt}/cache`);
  const options = ['-qq', ...settings.flatMap(each => ['-o', each])];
  run('apt-get', [...options, 'update']);
  // The kernel's package is named by one without a version.
  const kernel = run('apt-cache', [...options.slice(1), 'depends', 'linux-image-arm64']).match(
    /linux-image-\d\S*-arm64/,
  )?.[0];
  assert.ok(kernel);
  const fetched = spawnSync('apt-get', [...options, 'download', kernel, ...names], { cwd: folder, encoding: 'utf8' });
  assert.equal(fetched.status, 0, fetched.stderr);
  for (const name of readdirSync(folder).filter(each => each.endsWith('.deb'))) {
    run('dpkg-deb', ['-x', join(folder, name), join(folder, 'root')]);
  }
}

const userScript = `
cd /home
sleep 1000 | /rootfs/bin/escape victim /out >/home/victim &
while ! grep -q . /home/victim; do sleep 1; done
read -r pid key </home/victim
export RAISE=/bin/raise
sandbox="--bind-ro /home/inputs /in/1 --bind /home/w /w --cwd /w --rootfs /rootfs"
echo "userns:"; /k/userns $sandbox -- /bin/escape try /out /in/1 $pid $key | grep -v ' ok '
export PROOT_TMP_DIR=/home/t PROOT_LOADER=/k/proot-loader PROOT_DONT_POLLUTE_ROOTFS=1
proot="/k/proot -r /rootfs -b /proc -b /dev/null -b /home/w:/w -w /w --kill-on-exit"
echo "proot:"; /k/launcher --no-network -- $proot /bin/escape try /out - $pid $key | grep -v ' ok '
allowed="--read /k --read /rootfs --write /home/t --write /home/w --write /proc --write /dev/null"
echo "landlock:"; /k/launcher --no-network $allowed -- $proot /bin/escape try /out - $pid $key | grep -v ' ok '
/k/launcher -- $proot /bin/sh -c 'true; kill -9 $$'; echo "signal: $?"
`;
const init = `#!/bin/sh
export PATH=/bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
echo secret >/out/file; mkdir /home/inputs; for i in $(seq 0 59); do echo input >/home/inputs/$i; done; chown -R 1000:1000 /home /out
/k/as-user /bin/sh /user.sh 2>&1
echo FINISHED
poweroff -f
`;

test('the programs for arm64 hold on an arm64 kernel', { skip: reason, timeout: 600_000 }, () => {
  needPackages('qemu-system-arm', 'gcc-aarch64-linux-gnu', 'libc6-dev-arm64-cross', 'busybox-static');
  const folder = mkdtempSync(join(tmpdir(), 'cwl-arm64-'));
  try {
    unpackPackages(folder, ['busybox-static']);
    const disk = join(folder, 'disk');
    for (const name of ['bin', 'proc', 'sys', 'dev', 'rootfs/bin', 'rootfs/etc', 'home/w', 'home/t', 'out/open']) {
      mkdirSync(join(disk, name), { recursive: true });
    }
    cpSync(join(root, 'native/bin/linux-arm64'), join(disk, 'k'), { recursive: true });
    for (const bin of ['bin', 'rootfs/bin']) {
      cpSync(join(folder, 'root/bin/busybox'), join(disk, bin, 'busybox'));
      for (const name of ['sh', 'mount', 'sleep', 'grep', 'chown', 'mkdir', 'seq', 'poweroff', 'true'])
        symlinkSync('busybox', join(disk, bin, name));
    }
    const compile = (output: string, ...sources: string[]) =>
      run('aarch64-linux-gnu-gcc', ['-static', '-no-pie', '-O1', '-w', '-o', output, ...sources, '-lpthread', '-lrt']);
    const attempts = join(root, 'test/engine/programs/escape');
    const sources = readdirSync(attempts).filter(name => name.endsWith('.c'));
    compile(join(disk, 'rootfs/bin/escape'), ...sources.map(name => join(attempts, name)));
    writeFileSync(join(folder, 'program.c'), 'int main(void) { return 42; }\n');
    compile(join(disk, 'out/program'), join(folder, 'program.c'));
    const asUser =
      '#include <grp.h>\n#include <unistd.h>\nint main(int c, char **v) { return c < 2 || setgroups(0, 0) || setgid(1000) || setuid(1000) || execv(v[1], v + 1); }\n';
    writeFileSync(join(folder, 'as-user.c'), asUser);
    compile(join(disk, 'k/as-user'), join(folder, 'as-user.c'));
    writeFileSync(join(disk, 'user.sh'), userScript);
    writeFileSync(join(disk, 'init'), init, { mode: 0o755 });
    run('sh', [
      '-c',
      'cd "$0" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1 >"$1"',
      disk,
      join(folder, 'disk.gz'),
    ]);
    const kernel = readdirSync(join(folder, 'root/boot')).find(name => name.startsWith('vmlinuz')) as string;
    const options = ['-M', 'virt', '-cpu', 'cortex-a57', '-m', '512', '-nographic', '-nic', 'none', '-no-reboot'];
    const boot = ['-kernel', join(folder, 'root/boot', kernel), '-initrd', join(folder, 'disk.gz')];
    const { stdout } = spawnSync(
      'qemu-system-aarch64',
      [...options, ...boot, '-append', 'console=ttyAMA0 quiet panic=-1'],
      {
        encoding: 'utf8',
        timeout: 400_000,
        input: '',
      },
    );
    const lines = stdout.split('\n').map(line => line.trim());
    const said = lines.slice(lines.indexOf('userns:'), lines.indexOf('FINISHED'));
    // What is open under PRoot by its nature: native/README.md. Landlock closes all races but that for modes.
    const isOpen = (line: string, index: number) =>
      index > said.indexOf('proot:') &&
      (/^(sysv-\S+|chmod-race) /.test(line) || (/-race /.test(line) && index < said.indexOf('landlock:')));
    assert.deepEqual(
      said.filter((line, index) => !isOpen(line, index)),
      ['userns:', 'end', 'proot:', 'end', 'landlock:', 'end', 'signal: 137'],
      stdout,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
