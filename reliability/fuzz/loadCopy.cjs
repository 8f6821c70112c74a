// Loads the copy of the fuzzer that compatible.ts has made, in place of the one that is installed.
const { FUZZER_BINARY: binary, FUZZER_COPY: copy } = process.env;

if (binary !== undefined) {
  const { dlopen } = process;
  process.dlopen = (module, path, ...flags) => dlopen.call(process, module, path === binary ? copy : path, ...flags);
}
