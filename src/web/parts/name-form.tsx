import { useSignal } from '@preact/signals';
import { permit } from '../control/login.ts';
import { texts } from '../text/texts.ts';

interface NameFormProps {
  readonly label: string;
  readonly name: string;
  /** What it is called without a name. */
  readonly placeholder: string;
  /** Of the server, which may be forbidden. */
  readonly method: string;
  readonly onSave: (name: string) => void;
}

export function NameForm({ label, name: known, placeholder, method, onSave }: NameFormProps) {
  const name = useSignal(known);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        onSave(name.value.trim());
      }}
    >
      <label class="field">
        <span>{label}</span>
        <input
          value={name.value}
          placeholder={placeholder}
          maxLength={100}
          {...permit(method)}
          onInput={({ currentTarget }) => {
            name.value = currentTarget.value;
          }}
        />
      </label>
      <button type="submit" disabled={name.value.trim() === known}>
        {texts.value.save}
      </button>
    </form>
  );
}
