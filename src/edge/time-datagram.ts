/** Questions about the time and their answers by UDP: 32 bytes either way, so that nothing is gained by forged ones. */
const timeDatagramBytes = 32;
export const timeKeyBytes = 8;
const questionMark = 0x5a435451;
const answerMark = 0x5a435441;
const offset = { mark: 0, number: 4, key: 8, receivedUs: 16, answeredUs: 24 } as const;

interface TimeQuestion {
  readonly number: number;
  readonly key: Buffer;
}

interface TimeAnswer extends TimeQuestion {
  /** By the clock of who answers. */
  readonly receivedUs: number;
  readonly answeredUs: number;
}

export function encodeTimeQuestion({ number, key }: TimeQuestion): Buffer {
  const datagram = Buffer.alloc(timeDatagramBytes);
  datagram.writeUInt32BE(questionMark, offset.mark);
  datagram.writeUInt32BE(number, offset.number);
  key.copy(datagram, offset.key);
  return datagram;
}

/** `undefined` for what is no question of who knows `key`. */
export function decodeTimeQuestion(datagram: Buffer, key: Buffer): TimeQuestion | undefined {
  return hasMark(datagram, questionMark, key)
    ? { number: datagram.readUInt32BE(offset.number), key }
    : undefined;
}

export function encodeTimeAnswer({ number, key, receivedUs, answeredUs }: TimeAnswer): Buffer {
  const datagram = encodeTimeQuestion({ number, key });
  datagram.writeUInt32BE(answerMark, offset.mark);
  datagram.writeDoubleBE(receivedUs, offset.receivedUs);
  datagram.writeDoubleBE(answeredUs, offset.answeredUs);
  return datagram;
}

/** `undefined` for what is no answer of who knows `key`. */
export function decodeTimeAnswer(datagram: Buffer, key: Buffer): TimeAnswer | undefined {
  if (!hasMark(datagram, answerMark, key)) return undefined;
  return {
    number: datagram.readUInt32BE(offset.number),
    key,
    receivedUs: datagram.readDoubleBE(offset.receivedUs),
    answeredUs: datagram.readDoubleBE(offset.answeredUs),
  };
}

function hasMark(datagram: Buffer, mark: number, key: Buffer): boolean {
  return (
    datagram.length === timeDatagramBytes &&
    datagram.readUInt32BE(offset.mark) === mark &&
    datagram.subarray(offset.key, offset.key + timeKeyBytes).equals(key)
  );
}
