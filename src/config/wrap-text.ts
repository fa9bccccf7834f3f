/** Breaks `text` at spaces into lines of at most `width` characters, each behind `indent`. */
export function wrapText(
  text: string,
  { width, indent }: { readonly width: number; readonly indent: string },
): string {
  const lines: string[] = [];
  let line = indent;
  for (const word of text.split(' ')) {
    if (line.length > indent.length && line.length + 1 + word.length > width) {
      lines.push(line);
      line = indent;
    }
    line += line.length > indent.length ? ` ${word}` : word;
  }
  return [...lines, line].join('\n');
}
