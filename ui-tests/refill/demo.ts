/** The demo of this run: its files, its server, and its pages. */
import type { Locator, Page } from '@playwright/test';
import { expect } from '@playwright/test';
import { execFile } from 'node:child_process';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const FOLDER = process.env.JRG_DEMO_FOLDER!;
const URL = `http://127.0.0.1:${process.env.JRG_DEMO_PORT}`;
/** Seconds that a test waits for something at most. */
export const PATIENCE = { timeout: 60_000 };

interface IServer {
  readonly pid: number;
  readonly token: string;
}

/** A cell of a saved notebook, as far as it is looked at. */
export interface ISavedCell {
  readonly execution_count: number | null;
  readonly metadata: { remote_gpu?: { execution: string; state: string } };
  readonly outputs: {
    output_type: string;
    name?: string;
    text?: string | string[];
    data?: Record<string, unknown>;
    ename?: string;
    evalue?: string;
    traceback?: string[];
  }[];
}

/** What a saved notebook has of a widget. */
interface ISavedWidget {
  readonly model_name: string;
  readonly state: Record<string, unknown>;
}

export interface INotebook {
  readonly cells: ISavedCell[];
  readonly metadata: {
    widgets?: Record<string, { state: Record<string, ISavedWidget> }>;
  };
}

/** The server that runs now, as it wrote that down. */
export function server(): IServer {
  const folder = join(FOLDER, 'runtime');
  const name = readdirSync(folder).find(each =>
    /^jpserver-\d+\.json$/.test(each)
  );
  return JSON.parse(readFileSync(join(folder, name!), 'utf8')) as IServer;
}

/** Ask the server; what it answers. */
export async function ask(
  path: string,
  method = 'GET',
  body?: object
): Promise<unknown> {
  const headers = { Authorization: `token ${server().token}` };
  const answer = await fetch(`${URL}/${path}`, {
    method,
    headers,
    body: body && JSON.stringify(body)
  });
  if (!answer.ok) {
    throw new Error(`${method} ${path}: ${answer.status}`);
  }
  const text = await answer.text();
  return text ? JSON.parse(text) : null;
}

/** Connect the demo pod. */
export async function connect(): Promise<void> {
  await ask('remote-gpu/pods/demo/connection', 'PUT', {});
  const state = async () =>
    ((await ask('remote-gpu/pods/demo')) as { state: string }).state;
  await expect.poll(state, PATIENCE).toBe('connected');
}

/** kill -9; another one comes on the same port. */
export async function killServer(): Promise<void> {
  const { pid } = server();
  process.kill(pid, 'SIGKILL');
  const next = () => {
    try {
      return server().pid;
    } catch {
      return pid; // it has not written that down yet
    }
  };
  await expect.poll(next, PATIENCE).not.toBe(pid);
}

/** `jupyter remote-gpu demo --cut`: the pod's network is gone for so long. */
export async function cut(seconds: number): Promise<void> {
  const words = ['-m', 'jupyter_remote_gpu.cli', 'demo', '--cut'];
  await promisify(execFile)('python', [...words, String(seconds)], {
    env: {
      ...process.env,
      JUPYTER_DATA_DIR: join(FOLDER, 'data'),
      XDG_RUNTIME_DIR: join(FOLDER, 'run')
    }
  });
}

/** A notebook file with these sources, the ids of whose cells are `a0`, `a1` and so on. */
export function write(name: string, ...sources: string[]): void {
  writeCells(
    name,
    sources.map((source, i) => ({ id: `a${i}`, source }))
  );
}

/** A notebook file of these code cells. */
export function writeCells(name: string, codes: object[], minor = 5): void {
  const cells = codes.map(code => ({
    cell_type: 'code',
    metadata: {},
    execution_count: null,
    outputs: [],
    ...code
  }));
  const kernelspec = {
    name: 'python3',
    display_name: 'Python 3',
    language: 'python'
  };
  const whole = {
    cells,
    metadata: { kernelspec },
    nbformat: 4,
    nbformat_minor: minor
  };
  writeFileSync(join(FOLDER, 'notebooks', name), JSON.stringify(whole));
}

/** The notebook as it lies on the disk. */
export function saved(name: string): INotebook {
  const text = readFileSync(join(FOLDER, 'notebooks', name), 'utf8');
  return JSON.parse(text) as INotebook;
}

/** What a saved cell's streams say. */
export function textOf(cell: ISavedCell): string {
  return cell.outputs.flatMap(({ text }) => text ?? []).join('');
}

/** Wait until the page's notebook can be used. */
export async function loaded(page: Page): Promise<void> {
  await expect(page.locator('.jp-Notebook .jp-Cell').first()).toBeVisible(
    PATIENCE
  );
  await page.waitForFunction(() => {
    const { currentWidget } = window.jupyterapp.shell;
    // Widgets that come before the session is ready are shown at the cell's end only.
    return (
      currentWidget?.context?.isReady &&
      currentWidget.sessionContext.isReady &&
      currentWidget.sessionContext.session?.kernel
    );
  });
}

/** Open a notebook; `at` is where the front end shows those. */
export async function open(
  page: Page,
  name: string,
  at = 'lab/tree'
): Promise<void> {
  await page.goto(`${URL}/${at}/${name}?reset&token=${server().token}`);
  await loaded(page);
}

/** Open it again in the same page. */
export async function reload(page: Page): Promise<void> {
  await page.reload();
  await loaded(page);
}

/** A command for a cell; it is not waited for. */
export async function command(
  page: Page,
  id: string,
  index: number
): Promise<void> {
  await page.evaluate(
    ([id, index]) => {
      const { commands, shell } = window.jupyterapp;
      shell.currentWidget!.content.activeCellIndex = index;
      void commands.execute(id);
    },
    [id, index] as const
  );
}

/** Begin to run a cell, as the user does. */
export function run(page: Page, index = 0): Promise<void> {
  return command(page, 'notebook:run-cell', index);
}

/** Open a new notebook of these sources, and begin to run its first cell. */
export async function begin(
  page: Page,
  name: string,
  ...sources: string[]
): Promise<void> {
  write(name, ...sources);
  await open(page, name);
  await run(page);
}

/** Restart the notebook's local kernel; it is not waited for. */
export function restart(page: Page): Promise<void> {
  return page.evaluate(() => {
    void window.jupyterapp.shell.currentWidget!.sessionContext.session!.kernel!.restart();
  });
}

export function output(page: Page, index = 0): Locator {
  return page
    .locator('.jp-Notebook .jp-Cell')
    .nth(index)
    .locator('.jp-OutputArea');
}

/** Save it once the cell says that it shows its execution so far. */
export async function savedWhen(
  page: Page,
  name: string,
  state: string,
  index = 0
): Promise<INotebook> {
  const told = () =>
    page.evaluate(
      index =>
        window.jupyterapp.shell
          .currentWidget!.content.model.cells.get(index)
          .getMetadata('remote_gpu')?.state,
      index
    );
  await expect.poll(told, PATIENCE).toBe(state);
  await page.evaluate(() =>
    window.jupyterapp.commands.execute('docmanager:save')
  );
  await expect
    .poll(() => saved(name).cells[index].metadata.remote_gpu?.state, PATIENCE)
    .toBe(state);
  return saved(name);
}

/** What is used of JupyterLab's application in the page. */
declare global {
  // eslint-disable-next-line @typescript-eslint/naming-convention
  interface Window {
    jupyterapp: {
      version: string;
      listPlugins(): string[];
      isPluginActivated(id: string): boolean;
      commands: { execute(id: string): Promise<unknown> };
      shell: {
        currentWidget: {
          context: { isReady: boolean; rename(name: string): Promise<void> };
          sessionContext: {
            isReady: boolean;
            session: { kernel: { restart(): Promise<void> } | null } | null;
          };
          content: {
            activeCellIndex: number;
            model: {
              collaborative: boolean;
              sharedModel: {
                awareness?: {
                  clientID: number;
                  getStates(): Map<
                    number,
                    { remote_gpu?: { cells: string[] } }
                  >;
                };
              };
              cells: {
                get(index: number): {
                  trusted: boolean;
                  sharedModel: { setSource(source: string): void };
                  getMetadata(key: string): { state: string } | undefined;
                };
              };
            };
          };
        } | null;
      };
    };
  }
}
