/** What the upper and the lower end of the graph are. */
const rangeMs = 5;
const shares = [-1, -0.5, 0, 0.5, 1];

/** Makes the canvas as fine as it looks; returns what is drawn with. */
function begin(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const width = Math.round(canvas.clientWidth * devicePixelRatio);
  const height = Math.round(canvas.clientHeight * devicePixelRatio);
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const context = canvas.getContext('2d')!;
  context.clearRect(0, 0, width, height);
  return context;
}

/** Bars from low to high tones. Shape: each from 0 to 1. */
export function drawSpectrum(canvas: HTMLCanvasElement, spectrum: ArrayLike<number>): void {
  const context = begin(canvas);
  const step = canvas.width / spectrum.length;
  context.fillStyle = getComputedStyle(canvas).color;
  for (let bar = 0; bar < spectrum.length; bar += 1) {
    const height = Math.max(devicePixelRatio, spectrum[bar]! * canvas.height);
    context.fillRect(bar * step + step / 8, canvas.height - height, step * 0.75, height);
  }
}

/** By how much what was heard was late, twice a second. Shape: the latest is the last, `places` at most. */
export function drawErrors(
  canvas: HTMLCanvasElement,
  errorsMs: readonly (number | undefined)[],
  places: number,
): void {
  const context = begin(canvas);
  const style = getComputedStyle(canvas);
  const { width, height } = canvas;
  const yOf = (share: number) => height / 2 - (share * (height - 2 * devicePixelRatio)) / 2;
  context.lineWidth = devicePixelRatio;
  context.strokeStyle = style.borderTopColor;
  for (const share of shares) {
    context.globalAlpha = share === 0 ? 1 : 0.4;
    context.beginPath();
    context.moveTo(0, yOf(share));
    context.lineTo(width, yOf(share));
    context.stroke();
  }
  context.globalAlpha = 1;
  context.lineWidth = 2 * devicePixelRatio;
  context.strokeStyle = style.color;
  context.beginPath();
  let isDown = false;
  for (const [index, errorMs] of errorsMs.entries()) {
    if (errorMs === undefined) {
      isDown = false;
      continue;
    }
    const x = ((places - errorsMs.length + index + 1) / places) * width;
    const y = yOf(Math.max(-1, Math.min(1, errorMs / rangeMs)));
    if (isDown) context.lineTo(x, y);
    else context.moveTo(x, y);
    isDown = true;
  }
  context.stroke();
}
