import { loadNativeAddon, type NativeAddonResult } from '../../src/base/native/native-addon.ts';

/** What an encoder is to be given, so that FLAC is made by each library that there is. */
export const flacLibraries: readonly (readonly [string, NativeAddonResult])[] = [
  ["the system's libFLAC", loadNativeAddon({})],
  ['libflacjs', { reason: 'this test is for the other library' }],
];
