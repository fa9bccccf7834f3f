import { permit } from '../control/login.ts';
import { texts } from '../text/texts.ts';

/** Says once in a place why some of it is disabled, as not every device shows the titles of things. */
export function Forbidden({ methods }: { readonly methods: readonly string[] }) {
  const { disabled } = permit(...methods);
  return disabled ? <p class="hint">{texts.value.login.forbiddenHere}</p> : null;
}
