/** What phones ask of a page that plays; each part does nothing where it is not needed. */

/** On iOS a context that is made outside of a tap stays silent. */
export const keepsContext =
  /iP(?:hone|ad|od)/.test(navigator.userAgent) ||
  (navigator.platform === 'MacIntel' && navigator.maxTouchPoints > 1);
const isAndroid = /Android/.test(navigator.userAgent);

/** A second of silence: 8 bits, 8000 Hz. */
function silence(): string {
  const bytes = new Uint8Array(44 + 8000).fill(0x80);
  const view = new DataView(bytes.buffer);
  const words: readonly (readonly [number, number])[] = [
    [0, 0x52494646],
    [8, 0x57415645],
    [12, 0x666d7420],
    [36, 0x64617461],
  ];
  for (const [offset, word] of words) view.setUint32(offset, word);
  view.setUint32(4, 36 + 8000, true);
  view.setUint32(16, 16, true);
  view.setUint32(20, 0x00010001, true); // PCM, one channel
  view.setUint32(24, 8000, true);
  view.setUint32(28, 8000, true);
  view.setUint32(32, 0x00080001, true); // one byte per frame, 8 bits
  view.setUint32(40, 8000, true);
  return URL.createObjectURL(new Blob([bytes], { type: 'audio/wav' }));
}

let keepAlive: HTMLAudioElement | undefined;

/**
 * Tells the system that music plays here, and who to ask to stop it: iOS then ignores its mute
 * switch, Android does not put the page to sleep. To be called within a tap.
 */
export function announcePlayback(actions: {
  readonly play: () => void;
  readonly stop: () => void;
}) {
  // Not in the types yet.
  const { audioSession } = navigator as { audioSession?: { type: string } };
  if (audioSession) audioSession.type = 'playback';
  if (isAndroid) {
    keepAlive ??= new Audio(silence());
    keepAlive.loop = true;
    keepAlive.play().catch(() => undefined);
  }
  const session = navigator.mediaSession;
  if (!session) return;
  session.metadata = new MediaMetadata({ title: document.title });
  session.playbackState = 'playing';
  session.setActionHandler('play', actions.play);
  session.setActionHandler('pause', actions.stop);
  session.setActionHandler('stop', actions.stop);
}

export function endPlayback(): void {
  keepAlive?.pause();
  if (navigator.mediaSession) navigator.mediaSession.playbackState = 'paused';
}

/** What sound is heard from, as the system calls it; only where the page may know that. */
export async function outputDeviceName(): Promise<string | undefined> {
  // Plain HTTP has no media devices, and without leave to record they have no names.
  const devices = (await navigator.mediaDevices?.enumerateDevices().catch(() => [])) ?? [];
  const outputs = devices.filter(({ kind }) => kind === 'audiooutput');
  const inUse = outputs.find(({ deviceId }) => deviceId === 'default') ?? outputs[0];
  return inUse?.label || undefined;
}

/** For people: `Firefox on Android`. */
export function browserName(): string {
  const agent = navigator.userAgent;
  const find = (names: readonly (readonly [RegExp, string])[], other: string) =>
    names.find(([pattern]) => pattern.test(agent))?.[1] ?? other;
  const browser = find(
    [
      [/Edg/, 'Edge'],
      [/OPR/, 'Opera'],
      [/SamsungBrowser/, 'Samsung Internet'],
      [/Firefox|FxiOS/, 'Firefox'],
      [/Chrom|CriOS/, 'Chrome'],
      [/Safari/, 'Safari'],
    ],
    'Browser',
  );
  return `${browser} on ${systemName()}`;
}

export function systemName(): string {
  const names = [
    [/iPhone/, 'iPhone'],
    [/iPad/, 'iPad'],
    [/Android/, 'Android'],
    [/Windows/, 'Windows'],
    [/Mac/, 'Mac'],
    [/CrOS/, 'ChromeOS'],
  ] as const;
  return names.find(([pattern]) => pattern.test(navigator.userAgent))?.[1] ?? 'Linux';
}
