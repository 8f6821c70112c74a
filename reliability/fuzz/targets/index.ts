/** The targets of the fuzzer, by the names of their files. Those that wait for something are not synchronous. */
export const targets: Readonly<Record<string, { readonly sync: boolean }>> = {
  decoder: { sync: false },
  utf8: { sync: true },
  headers: { sync: true },
  inflate: { sync: false },
  clientAnswer: { sync: false },
  closeHandshake: { sync: false },
  differential: { sync: false },
};
