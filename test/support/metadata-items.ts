/** One item, as `shairport-sync` writes it. */
export function metadataItem(type: string, code: string, data: Buffer | string = ''): Buffer {
  const bytes = Buffer.from(data);
  const hex = (text: string) => Buffer.from(text).toString('hex');
  const head = `<item><type>${hex(type)}</type><code>${hex(code)}</code><length>${bytes.length}</length>`;
  const body = `\n<data encoding="base64">\n${bytes.toString('base64')}</data>`;
  return Buffer.from(`${head}${bytes.length > 0 ? body : ''}</item>\n`);
}

const core = (code: string, data: Buffer | string) => metadataItem('core', code, data);
const ssnc = (code: string, data?: Buffer | string) => metadataItem('ssnc', code, data);

/** What is told of one song. */
export function songItems(title: string, artist: string, album: string): Buffer {
  const tags = [core('asal', album), core('asar', artist), core('minm', title)];
  return Buffer.concat([ssnc('mdst', '77'), ...tags, ssnc('mden', '77')]);
}

export function coverItems(cover: Buffer): Buffer {
  return Buffer.concat([ssnc('pcst', '78'), ssnc('PICT', cover), ssnc('pcen', '78')]);
}
