import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';

const folder = fileURLToPath(new URL('../../../dist/web', import.meta.url));
const kib = 1024;
const packedBytes = (file: string) => gzipSync(readFileSync(join(folder, file))).length;

it('the page is small: what it begins with, and each part that comes later', () => {
  const page = readFileSync(join(folder, 'index.html'), 'utf8');
  const first = [...page.matchAll(/(?:src|href)="\.\/([^"]+)"/g)].map(([, file = '']) => file);
  const later = readdirSync(join(folder, 'assets'))
    .map((name) => `assets/${name}`)
    .filter((file) => !first.includes(file));
  expect(first.length).toBeGreaterThanOrEqual(2);
  const firstBytes = first.reduce((sum, file) => sum + packedBytes(file), 0);
  expect(firstBytes).toBeLessThanOrEqual(45 * kib);
  const opus = later.filter((file) => packedBytes(file) > 15 * kib);
  expect(opus).toHaveLength(1);
  expect(packedBytes(opus[0]!)).toBeLessThanOrEqual(70 * kib);
});
