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
  modulePathIgnorePatterns: ['<rootDir>/jupyter_remote_gpu/labextension'],
  reporters: ['default'],
  testPathIgnorePatterns: ['/lib/', '/node_modules/', '/ui-tests/'],
  testRegex: 'src/.*/.*\\.spec\\.tsx?$',
  transformIgnorePatterns: [`/node_modules/(?!${esModules}).+`]
};
