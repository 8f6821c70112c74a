/**
 * Lets `require()` load ES modules on Nodes before 20.19, which cannot: some of what the specs are made with has no other form. It does
 * nothing on a Node that can. The library itself needs none of this.
 */
const { readFileSync } = require('node:fs');
const Module = require('node:module');
const ts = require('typescript');

const [major, minor] = process.versions.node.split('.').map(Number);

/** Compiles the file to a module for `require()`. */
function loadAsCommonJs(module, file) {
  const source = readFileSync(file, 'utf8').replaceAll(
    'import.meta.url',
    'require("node:url").pathToFileURL(__filename).href',
  );
  const compilerOptions = { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022, esModuleInterop: true };
  module._compile(ts.transpileModule(source, { compilerOptions, fileName: file }).outputText, file);
}

if (major === 20 && minor < 19) {
  const load = Module._extensions['.js'];
  Module._extensions['.mjs'] = loadAsCommonJs;
  Module._extensions['.js'] = (module, file) => {
    try {
      load(module, file);
    } catch (error) {
      if (error.code !== 'ERR_REQUIRE_ESM' || !error.message.includes(file)) throw error;
      loadAsCommonJs(module, file);
    }
  };
}
