// The least that any converter in Node can take: inflate each layer, SHA-256 of what goes in and of what comes out.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';

for (const path of process.argv.slice(2)) {
  const [packed, unpacked] = [createHash('sha256'), createHash('sha256')];
  const source = createReadStream(path, { highWaterMark: 1 << 18 });
  source.on('data', chunk => packed.update(chunk));
  for await (const chunk of source.pipe(createGunzip({ chunkSize: 1 << 18 }))) unpacked.update(chunk);
  console.log(packed.digest('hex'), unpacked.digest('hex'));
}
