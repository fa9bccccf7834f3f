import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { faultText } from '../control/actions.ts';
import { Icon } from '../parts/icons.tsx';
import { texts } from '../text/texts.ts';
import { repertoire } from './announcing.ts';
import { change, draft } from './draft.ts';
import { KeepForm } from './keep-form.tsx';
import { PreviewButton } from './preview-button.tsx';
import { readSoundFile, type SoundFile, SoundFileError } from './sound-file.ts';
import { canRecord, VoiceRecorder } from './voice-recorder.ts';

/** While a file is read: how much of it is. */
const readPart = signal<number | undefined>(undefined);
const fault = signal<string | undefined>(undefined);
const recorder = signal<VoiceRecorder | undefined>(undefined);
const recordedSeconds = signal(0);

/** A file of this device, or a voice that is recorded now. */
export function VoiceChoice() {
  const { announce: words } = texts.value;
  const { file } = draft.value;
  const limits = limitsNow();
  return (
    <>
      <div class="buttons">
        {canRecord && <RecordButton />}
        <FilePicker label={words.pickFile} />
        {!canRecord && <FilePicker label={words.openRecorder} capture />}
      </div>
      <p class="hint">
        {!canRecord && `${words.recordNeedsHttps} `}
        {words.limits(limits.maxSeconds)}
      </p>
      {readPart.value !== undefined && (
        <progress aria-label={words.reading} value={readPart.value} />
      )}
      {fault.value !== undefined && (
        <span class="fault" role="alert">
          {fault.value}
        </span>
      )}
      {file && <Chosen file={file} />}
    </>
  );
}

function limitsNow() {
  const { seconds, upload_bytes } = repertoire.value?.limits ?? { seconds: 120, upload_bytes: 2e7 };
  return { maxSeconds: seconds, maxBytes: upload_bytes };
}

async function read(file: Blob, name: string): Promise<void> {
  const { faults } = texts.peek().announce;
  fault.value = undefined;
  readPart.value = 0;
  change({ file: undefined });
  try {
    const onPart = (part: number) => {
      readPart.value = part;
    };
    change({ file: await readSoundFile(file, name, { ...limitsNow(), onPart }) });
  } catch (error) {
    fault.value = error instanceof SoundFileError ? faults[error.code] : faultText(error);
  }
  readPart.value = undefined;
}

interface FilePickerProps {
  readonly label: string;
  /** Phones open their recorder for it. */
  readonly capture?: boolean;
}

function FilePicker({ label, capture = false }: FilePickerProps) {
  return (
    <label class="pick">
      <Icon name={capture ? 'record' : 'upload'} />
      <span>{label}</span>
      <input
        type="file"
        accept="audio/*"
        {...(capture && { capture: 'user' })}
        onChange={({ currentTarget }) => {
          const [file] = currentTarget.files ?? [];
          if (file) void read(file, file.name);
          // The same one may be chosen again.
          currentTarget.value = '';
        }}
      />
    </label>
  );
}

function RecordButton() {
  const { announce: words } = texts.value;
  const isRecording = recorder.value !== undefined;
  useEffect(() => () => void stopRecording(), []);
  return (
    <button
      type="button"
      class={isRecording ? 'recording' : ''}
      aria-pressed={isRecording}
      onClick={() => void (isRecording ? stopRecording() : startRecording())}
    >
      <Icon name={isRecording ? 'stop' : 'record'} />
      {isRecording ? words.stopRecording(recordedSeconds.value) : words.record}
    </button>
  );
}

let timer: ReturnType<typeof setInterval> | undefined;

/** While the browser asks whether it may record. */
let isAsking = false;

async function startRecording(): Promise<void> {
  if (isAsking) return;
  fault.value = undefined;
  isAsking = true;
  let started: VoiceRecorder;
  try {
    started = await VoiceRecorder.start();
  } catch (error) {
    isAsking = false;
    fault.value = texts.peek().announce.noMicrophone(faultText(error));
    return;
  }
  const isWanted = isAsking;
  isAsking = false;
  if (!isWanted) {
    // Nothing is shown any more that could stop it.
    await started.stop();
    return;
  }
  recorder.value = started;
  recordedSeconds.value = 0;
  timer = setInterval(() => {
    recordedSeconds.value += 1;
    if (recordedSeconds.peek() >= limitsNow().maxSeconds - 1) void stopRecording();
  }, 1000);
}

async function stopRecording(): Promise<void> {
  isAsking = false;
  const running = recorder.peek();
  if (!running) return;
  recorder.value = undefined;
  clearInterval(timer);
  await read(await running.stop(), texts.peek().announce.recording);
}

function Chosen({ file }: { readonly file: SoundFile }) {
  const { announce: words } = texts.value;
  const { name, seconds, peaks, audio, wav } = file;
  return (
    <div class="chosen">
      <div class="line">
        <PreviewButton previewKey="file" name={name} load={async () => audio} />
        <svg
          class="peaks"
          viewBox={`0 0 ${peaks.length} 2`}
          preserveAspectRatio="none"
          aria-hidden="true"
        >
          <path d={peaks.map((peak, at) => `M${at + 0.5} ${1 - peak}v${2 * peak}`).join('')} />
        </svg>
        <span class="number">{words.seconds(seconds)}</span>
      </div>
      <span class="hint cut">
        {name} · {words.size(wav.length / 1e6)}
      </span>
      <KeepForm file={file} />
    </div>
  );
}
