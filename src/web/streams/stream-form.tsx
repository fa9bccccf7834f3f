import { useSignal } from '@preact/signals';
import { useId } from 'preact/hooks';
import { faultText } from '../control/actions.ts';
import { Sheet } from '../parts/sheet.tsx';
import { texts } from '../text/texts.ts';
import {
  addressOf,
  type FieldName,
  type Fields,
  fieldIn,
  fieldsOf,
  kinds,
  type StreamKind,
  usual,
} from './stream-address.ts';

interface StreamFormProps {
  readonly title: string;
  readonly kind: StreamKind;
  readonly fields: Fields;
  /** Failure: rejects with what is to be shown. */
  readonly onSave: (address: string) => Promise<unknown>;
  readonly onClose: () => void;
}

/** The address of a stream, made of its parts. */
export function StreamForm({
  title,
  kind: knownKind,
  fields: known,
  onSave,
  onClose,
}: StreamFormProps) {
  const kind = useSignal(knownKind);
  const fields = useSignal<Fields>({ ...usual[knownKind], ...known });
  const fault = useSignal<string | undefined>(undefined);
  const isBusy = useSignal(false);
  const { streams: words } = texts.value;
  const address = addressOf(kind.value, fields.value);
  const faultyField = fault.value && fieldIn(fault.value, kind.value);
  const save = async (event: Event) => {
    event.preventDefault();
    fault.value = undefined;
    isBusy.value = true;
    try {
      await onSave(address);
      onClose();
    } catch (error) {
      fault.value = faultText(error);
    }
    isBusy.value = false;
  };
  const names: readonly FieldName[] = ['name', ...fieldsOf[kind.value], 'codec', 'sampleformat'];
  return (
    <Sheet title={title} onClose={onClose}>
      <form class="column" onSubmit={(event) => void save(event)}>
        <label class="field">
          <span>{words.kind}</span>
          <select
            value={kind.value}
            onChange={({ currentTarget }) => {
              kind.value = currentTarget.value as StreamKind;
              fields.value = { ...usual[kind.value], name: fields.value.name ?? '' };
            }}
          >
            {kinds.map((one) => (
              <option key={one} value={one}>
                {words.kinds[one]}
              </option>
            ))}
          </select>
        </label>
        {names.map((name) => (
          <Field
            key={name}
            name={name}
            value={fields.value[name] ?? ''}
            fault={faultyField === name ? fault.value : undefined}
            onInput={(value) => {
              fields.value = { ...fields.value, [name]: value };
            }}
          />
        ))}
        <div class="field">
          <span>{words.address}</span>
          <output class="address">{address}</output>
          {fault.value !== undefined && !faultyField && (
            <span class="fault" role="alert">
              {fault.value}
            </span>
          )}
        </div>
        <div class="buttons">
          <button type="button" class="quiet" onClick={onClose}>
            {texts.value.cancel}
          </button>
          <button type="submit" class="main" disabled={isBusy.value}>
            {texts.value.save}
          </button>
        </div>
      </form>
    </Sheet>
  );
}

interface FieldProps {
  readonly name: FieldName;
  readonly value: string;
  readonly fault: string | undefined;
  readonly onInput: (value: string) => void;
}

const codecs = ['', 'flac', 'pcm', 'opus'];

function Field({ name, value, fault, onInput }: FieldProps) {
  const id = useId();
  const attributes = {
    id,
    name,
    value,
    'aria-invalid': fault !== undefined,
    'aria-errormessage': fault === undefined ? undefined : `${id} fault`,
  };
  return (
    <div class="field">
      <label htmlFor={id}>{texts.value.streams.fields[name]}</label>
      {name === 'codec' ? (
        <select {...attributes} onChange={({ currentTarget }) => onInput(currentTarget.value)}>
          {codecs.map((codec) => (
            <option key={codec} value={codec}>
              {codec === '' ? texts.value.streams.usualCodec : codec}
            </option>
          ))}
        </select>
      ) : (
        <input
          {...attributes}
          required={name === 'name' || name === 'path'}
          inputMode={name === 'port' || name === 'freq' ? 'numeric' : 'text'}
          placeholder={name === 'sampleformat' ? '48000:16:2' : ''}
          autocapitalize="off"
          autocomplete="off"
          spellcheck={false}
          onInput={({ currentTarget }) => onInput(currentTarget.value)}
        />
      )}
      {fault !== undefined && (
        <span class="fault" role="alert" id={`${id} fault`}>
          {fault}
        </span>
      )}
    </div>
  );
}
