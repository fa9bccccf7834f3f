/** Writes times as a language does, with their sign. */
export function signedMs(language: string): (ms: number) => string {
  const format = new Intl.NumberFormat(language, {
    signDisplay: 'exceptZero',
    maximumFractionDigits: 1,
  });
  return (ms) => `${format.format(ms).replace('-', '−')} ms`;
}
