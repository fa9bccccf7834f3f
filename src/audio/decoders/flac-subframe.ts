import { type BitReader, damaged } from './bit-reader.ts';

/** Weights of the latest samples, newest first. *Source:* RFC 9639, section 9.2.5. */
const fixedPredictors: readonly (readonly number[])[] = [
  [],
  [1],
  [2, -1],
  [3, -3, 1],
  [4, -6, 4, -1],
];

/**
 * Decodes the samples of one channel of one frame into `samples`, which has the block's length.
 *
 * Failure: throws a `ProtocolError`. *Source:* RFC 9639, section 9.2.
 */
export function readSubframe(reader: BitReader, bits: number, samples: Int32Array): void {
  if (reader.unsigned(1) !== 0) throw damaged('a subframe starts with a one bit');
  const type = reader.unsigned(6);
  const wastedBits = reader.unsigned(1) === 0 ? 0 : reader.unary() + 1;
  const width = bits - wastedBits;
  if (width < 1) throw damaged('a subframe wastes all of its bits');
  readContent(reader, { type, width }, samples);
  if (wastedBits === 0) return;
  for (let index = 0; index < samples.length; index += 1) samples[index]! <<= wastedBits;
}

function readContent(
  reader: BitReader,
  { type, width }: { type: number; width: number },
  samples: Int32Array,
): void {
  if (type === 0) {
    samples.fill(reader.signed(width));
  } else if (type === 1) {
    readPlain(reader, width, samples);
  } else if (type >= 8 && type <= 12) {
    const weights = fixedPredictors[type - 8]!;
    readWarmUp(reader, { width, order: weights.length }, samples);
    readResidual(reader, weights.length, samples);
    predict(samples, weights, 0);
  } else if (type >= 32) {
    const order = type - 31;
    readWarmUp(reader, { width, order }, samples);
    const { weights, shift } = readPredictor(reader, order);
    readResidual(reader, order, samples);
    predict(samples, weights, shift);
  } else {
    throw damaged('a subframe has a reserved type');
  }
}

function readWarmUp(
  reader: BitReader,
  { width, order }: { width: number; order: number },
  samples: Int32Array,
): void {
  if (order > samples.length) throw damaged('a predictor is longer than its block');
  readPlain(reader, width, samples.subarray(0, order));
}

function readPlain(reader: BitReader, width: number, samples: Int32Array): void {
  for (let index = 0; index < samples.length; index += 1) samples[index] = reader.signed(width);
}

function readPredictor(
  reader: BitReader,
  order: number,
): { weights: readonly number[]; shift: number } {
  const precision = reader.unsigned(4) + 1;
  if (precision === 16) throw damaged('a predictor has a forbidden precision');
  const shift = reader.signed(5);
  if (shift < 0) throw damaged('a predictor has a negative shift');
  return { weights: Array.from({ length: order }, () => reader.signed(precision)), shift };
}

/** Reads what the predictor misses into `samples` behind the warm-up. */
function readResidual(reader: BitReader, order: number, samples: Int32Array): void {
  const method = reader.unsigned(2);
  if (method > 1) throw damaged('a residual has a reserved coding');
  const parameterBits = 4 + method;
  const unfolded = 2 ** parameterBits - 1;
  const partitions = 2 ** reader.unsigned(4);
  const partitionFrames = samples.length / partitions;
  if (!Number.isInteger(partitionFrames) || partitionFrames < order) {
    throw damaged('a residual does not divide its block');
  }
  for (let index = 0; index < partitions; index += 1) {
    const start = index === 0 ? order : index * partitionFrames;
    const part = samples.subarray(start, (index + 1) * partitionFrames);
    const parameter = reader.unsigned(parameterBits);
    if (parameter === unfolded) readPlain(reader, reader.unsigned(5), part);
    else readRice(reader, parameter, part);
  }
}

function readRice(reader: BitReader, parameter: number, samples: Int32Array): void {
  for (let index = 0; index < samples.length; index += 1) {
    const folded = reader.unary() * 2 ** parameter + reader.unsigned(parameter);
    samples[index] = folded % 2 === 0 ? folded / 2 : -(folded + 1) / 2;
  }
}

/** Doubles hold every sum exactly: 24-bit samples times 15-bit weights, 32 of them. */
function predict(samples: Int32Array, weights: readonly number[], shift: number): void {
  const scale = 2 ** -shift;
  const order = weights.length;
  for (let index = order; index < samples.length; index += 1) {
    let sum = 0;
    for (let lag = 0; lag < order; lag += 1) sum += weights[lag]! * samples[index - 1 - lag]!;
    samples[index]! += Math.floor(sum * scale);
  }
}
