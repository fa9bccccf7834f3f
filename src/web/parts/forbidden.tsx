import { permit } from '../control/login.ts';

/** Says once in a place why some of it is disabled, as not every device shows the titles of things. */
export function Forbidden({ methods }: { readonly methods: readonly string[] }) {
  const { title } = permit(...methods);
  return title === undefined ? null : <p class="hint">{title}</p>;
}
