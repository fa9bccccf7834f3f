/** Sum over the header of a frame. *Source:* RFC 9639, section 9.1.8. */
export const crc8 = checksum(8, 0x07);

/** Sum over a whole frame. *Source:* RFC 9639, section 9.3. */
export const crc16 = checksum(16, 0x8005);

function checksum(width: 8 | 16, polynomial: number): (bytes: Uint8Array) => number {
  const mask = 2 ** width - 1;
  const table = Uint16Array.from({ length: 256 }, (_, index) => {
    let value = index << (width - 8);
    for (let bit = 0; bit < 8; bit += 1) {
      value = (value << 1) ^ (value >> (width - 1) === 1 ? polynomial : 0);
      value &= mask;
    }
    return value;
  });
  return (bytes) => {
    let sum = 0;
    for (const byte of bytes) sum = ((sum << 8) & mask) ^ table[(sum >> (width - 8)) ^ byte]!;
    return sum;
  };
}
