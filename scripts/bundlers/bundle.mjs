/** `node bundle.mjs FOLDER`: bundles each program by each bundler, as CommonJS and as an ES module, into this folder. */
import { join } from 'node:path';
import { promisify } from 'node:util';
import commonjs from '@rollup/plugin-commonjs';
import { nodeResolve } from '@rollup/plugin-node-resolve';
import * as esbuild from 'esbuild';
import * as rolldown from 'rolldown';
import * as rollup from 'rollup';
import webpack from 'webpack';

const here = import.meta.dirname;
const folder = process.argv[2];

/** What a user sets for a program that runs in Node, and nothing else: the packages in `external` stay outside of the bundle. */
const bundlers = {
  esbuild: (input, format, file, external) =>
    esbuild.build({ entryPoints: [input], bundle: true, platform: 'node', format, outfile: file, external }),
  rollup: async (input, format, file, external) => {
    const plugins = [nodeResolve({ preferBuiltins: true }), commonjs()];
    const bundle = await rollup.rollup({ input, plugins, external, onwarn: failOnWarning });
    await bundle.write({ file, format });
  },
  rolldown: async (input, format, file, external) => {
    const bundle = await rolldown.rolldown({ input, external, platform: 'node' });
    await bundle.write({ file, format });
  },
  webpack: async (input, format, file, external) => {
    const esm = format === 'esm';
    const stats = await promisify(webpack)({
      mode: 'production',
      target: 'node20',
      entry: input,
      experiments: { outputModule: esm },
      externals: external,
      externalsType: esm ? 'module' : 'commonjs',
      output: { path: folder, filename: file.slice(folder.length + 1), module: esm },
    });
    if (stats.hasErrors() || stats.hasWarnings()) throw new Error(stats.toString());
  },
};

/** minipass has circular imports, which Rollup mentions; they are not ours. */
function failOnWarning(warning) {
  if (warning.code === 'CIRCULAR_DEPENDENCY' && warning.ids.every((id) => !id.includes('node-websocket-handler')))
    return;
  throw new Error(warning.message);
}

/** NestJS imports packages that may be missing, so who uses it leaves it outside of a bundle. */
const nestPackages = ['@nestjs/common', '@nestjs/core', '@nestjs/platform-express', 'reflect-metadata', 'rxjs'];

for (const [name, bundle] of Object.entries(bundlers))
  for (const [program, external] of [
    ['imported.mjs', []],
    ['required.cjs', []],
    ['nest.mjs', nestPackages],
  ])
    for (const [format, extension] of [
      ['cjs', 'cjs'],
      ['esm', 'mjs'],
    ])
      await bundle(
        join(here, program),
        format,
        join(folder, `${name}-${program.split('.')[0]}.${extension}`),
        external,
      );
