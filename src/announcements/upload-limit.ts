/** Of a sound that comes with the request to announce it. */
export const maxUploadBytes = 16 * 1024 * 1024;
