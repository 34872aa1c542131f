/** The CRC of cksum(1) (POSIX.1-2017, XCU cksum): for hosts that have no program for SHA-256. */
export class Cksum {
  #crc = 0;
  #length = 0;

  update(bytes: Uint8Array): void {
    let crc = this.#crc;
    for (const byte of bytes) crc = (crc << 8) ^ (table[((crc >>> 24) ^ byte) & 0xff] as number);
    this.#crc = crc;
    this.#length += bytes.length;
  }

  digest(): number {
    let crc = this.#crc;
    for (let rest = this.#length; rest > 0; rest = Math.floor(rest / 256)) {
      crc = (crc << 8) ^ (table[((crc >>> 24) ^ rest) & 0xff] as number);
    }
    return ~crc >>> 0;
  }
}

const table = Int32Array.from({ length: 256 }, (_, index) => {
  let crc = index << 24;
  for (let bit = 0; bit < 8; bit++) crc = (crc << 1) ^ (crc < 0 ? 0x04c11db7 : 0);
  return crc;
});
