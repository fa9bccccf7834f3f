import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { faultText } from '../control/actions.ts';
import { logIn, loginReason } from '../control/login.ts';
import { link } from '../control/server.ts';
import { Sheet } from '../parts/sheet.tsx';
import { texts } from '../text/texts.ts';

/** Asks who uses the page; behind it all stays where it was. */
export function LoginSheet() {
  const reason = loginReason.value;
  const { login: words } = texts.value;
  const user = useSignal('');
  const password = useSignal('');
  const isKept = useSignal(false);
  const fault = useSignal('');
  const isBusy = useSignal(false);
  const isDone = useRef(false);
  if (reason === undefined) return null;
  const submit = async (event: Event) => {
    event.preventDefault();
    isBusy.value = true;
    fault.value = '';
    try {
      await logIn({ user: user.value, password: password.value, isKept: isKept.value });
      password.value = '';
      isDone.current = true;
      loginReason.value = undefined;
      link.restart();
    } catch (error) {
      fault.value = faultText(error);
    }
    isBusy.value = false;
  };
  return (
    <Sheet
      title={words.title}
      onClose={() => {
        // Of a sheet that is gone this comes late: by now another login may be asked for.
        if (!isDone.current) loginReason.value = undefined;
      }}
    >
      <form class="column" onSubmit={(event) => void submit(event)}>
        <p>{words.reasons[reason]}</p>
        <label class="field">
          <span>{words.user}</span>
          <input
            required
            autocomplete="username"
            autocapitalize="none"
            value={user.value}
            onInput={({ currentTarget }) => {
              user.value = currentTarget.value;
            }}
          />
        </label>
        <label class="field">
          <span>{words.password}</span>
          <input
            required
            type="password"
            autocomplete="current-password"
            value={password.value}
            onInput={({ currentTarget }) => {
              password.value = currentTarget.value;
            }}
          />
        </label>
        <label class="choice">
          <input
            type="checkbox"
            checked={isKept.value}
            onChange={({ currentTarget }) => {
              isKept.value = currentTarget.checked;
            }}
          />
          <span>{words.keep}</span>
        </label>
        <span class="fault" role="alert">
          {fault.value}
        </span>
        <div class="buttons">
          <button type="submit" class="main" disabled={isBusy.value}>
            {words.submit}
          </button>
        </div>
      </form>
    </Sheet>
  );
}
