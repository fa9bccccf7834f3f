/** A piece of JSON that is text already: spliced in as it is instead of being built again. */
export class JsonText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}
