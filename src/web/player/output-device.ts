import { remember, remembered } from '../own-memory.ts';

/** What is remembered of a device that sound was heard from. */
interface KnownDevice {
  /** Only where the browser tells, which it does over HTTPS to pages that may record. */
  readonly name: string | undefined;
  latencyMs: number;
  offsetMs: number;
}

const memoryName = 'outputDevices';
const maxDevices = 8;
/** A latency that is another one by so much, for so long, is that of another device. */
const stepMs = 10;
const patienceMs = 500;
/** Devices without a name are taken for the same when their latencies are as near as that. */
const nearMs = 40;
const nearPart = 0.35;
/** Of each reading in the mean. */
const smoothing = 0.02;

/**
 * The device that the sound is heard from, and by how much earlier the listener has it play.
 *
 * Plain HTTP has no names of devices, so they are known by their latency there: what is built in
 * has tens of milliseconds, what is reached by radio hundreds.
 */
export class OutputDevice {
  /** The one in use first, then those before it. */
  #devices: KnownDevice[] = readDevices();
  #name: string | undefined;
  #isFound = false;
  /** Readings that are not those of the device in use, if they go on. */
  #other: { readonly sinceMs: number; readonly latencyMs: number } | undefined;

  /** As the browser calls it; `undefined` where it does not. */
  get name(): string | undefined {
    return this.#device.name;
  }

  get latencyMs(): number {
    return this.#device.latencyMs;
  }

  /** How much earlier it has to play than it would by itself. */
  get offsetMs(): number {
    return this.#device.offsetMs;
  }

  setOffset(offsetMs: number): void {
    this.#device.offsetMs = offsetMs;
    this.#save();
  }

  /**
   * Takes what the browser says of the latency now. Returns whether it has changed at once, which
   * is another device, or at first whether the device is not the one that was heard last.
   */
  take(latencyMs: number, nowMs: number): boolean {
    if (!(latencyMs > 0)) return false;
    const device = this.#device;
    if (this.#isFound && Math.abs(latencyMs - device.latencyMs) <= stepMs) {
      device.latencyMs += smoothing * (latencyMs - device.latencyMs);
      this.#other = undefined;
      return false;
    }
    const other = this.#other;
    if (!other || Math.abs(latencyMs - other.latencyMs) > stepMs) {
      this.#other = { sinceMs: nowMs, latencyMs };
      return false;
    }
    return nowMs - other.sinceMs >= patienceMs && this.#find(latencyMs);
  }

  /** Takes the name of the device in use. Returns whether it is another one than was known. */
  takeName(name: string | undefined): boolean {
    const isSame = name === this.#name;
    this.#name = name;
    return !isSame && this.#find(this.#device.latencyMs);
  }

  /** The context has ended: another one tells its own latency. */
  forget(): void {
    this.#isFound = false;
    this.#other = undefined;
  }

  get #device(): KnownDevice {
    return this.#devices[0]!;
  }

  #find(latencyMs: number): boolean {
    const [wasFound, before] = [this.#isFound, this.#device];
    const missMs = (device: KnownDevice) => Math.abs(device.latencyMs - latencyMs);
    const name = this.#name;
    const known =
      name === undefined
        ? this.#devices
            .filter((device) => device.name === undefined)
            .filter((device) => missMs(device) <= Math.max(nearMs, nearPart * device.latencyMs))
            .reduce<KnownDevice | undefined>(
              (best, device) => (best && missMs(best) <= missMs(device) ? best : device),
              undefined,
            )
        : this.#devices.find((device) => device.name === name);
    const device = known ?? { name, latencyMs, offsetMs: 0 };
    device.latencyMs = latencyMs;
    this.#devices = [device, ...this.#devices.filter((one) => one !== device)].slice(0, maxDevices);
    this.#isFound = true;
    this.#other = undefined;
    this.#save();
    return wasFound || before !== device;
  }

  #save(): void {
    remember(memoryName, JSON.stringify(this.#devices));
  }
}

function readDevices(): KnownDevice[] {
  const none = [{ name: undefined, latencyMs: 0, offsetMs: 0 }];
  try {
    const devices = JSON.parse(remembered(memoryName) ?? '[]') as KnownDevice[];
    return devices.length > 0 ? devices : none;
  } catch {
    return none;
  }
}
