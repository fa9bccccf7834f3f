// Sets the wall clock of a process, as far as JavaScript sees it, by the next of CLOCK_STEPS_MS at
// each SIGUSR2.
const steps = (process.env.CLOCK_STEPS_MS ?? '').split(',').map(Number);
const RealDate = Date;
let offsetMs = 0;

globalThis.Date = class extends RealDate {
  constructor(...values) {
    if (values.length === 0) super(RealDate.now() + offsetMs);
    else super(...values);
  }

  static now() {
    return RealDate.now() + offsetMs;
  }
};

process.on('SIGUSR2', () => {
  offsetMs += steps.shift() ?? 0;
});
