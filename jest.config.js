const jestJupyterLab = require('@jupyterlab/testutils/lib/jest-config');

// These packages ship ES modules only, which jest has to transform.
const esModules = [
  '@codemirror',
  '@jupyter/',
  '@jupyterlab/',
  '@microsoft/',
  '@rjsf/',
  'exenv-es6',
  'lib0',
  'nanoid',
  'vscode-ws-jsonrpc',
  'y-protocols',
  'y-websocket',
  'yjs'
].join('|');

module.exports = {
  ...jestJupyterLab(__dirname),
  reporters: ['default'],
  // JupyterLab's test helpers print thousands of lines.
  silent: true,
  setupFilesAfterEnv: ['<rootDir>/src/__tests__/setup.ts'],
  // Not .venv, lib and labextension, which have copies of the same names.
  roots: ['<rootDir>/src'],
  testPathIgnorePatterns: ['/node_modules/'],
  testRegex: 'src/.*/.*\\.spec\\.tsx?$',
  transformIgnorePatterns: [`/node_modules/(?!${esModules}).+`]
};
