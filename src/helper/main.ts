/** The helper: the program that runs on the cluster. `node helper.cjs COMMAND ...`. */

import { formatFailure, isFailure } from '#base/failure.ts';
import { version } from '#base/version.ts';
import { commands, formatCommandHelp, formatHelp } from './commands.ts';
import { explainSystemError } from './explain.ts';
import { writeFully } from './output.ts';

void main(process.argv.slice(2)).then(status => process.exit(status));

async function main(args: string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === '--version' || name === 'version') return print(`${version}\n`);
  if (name === '--help' || name === 'help' || name === '-h') return printHelp(rest[0]);
  const entry = commands.find(each => each.name === name);
  if (!entry) {
    const what = name === undefined ? 'no command given' : `no command ${name}`;
    writeFully(2, `${what}\n\n${formatHelp(commands)}`);
    return 2;
  }
  // `image build --help` as well; what follows the tool of `run` is the tool's.
  if (rest[0] === '--help' || (rest[1] === '--help' && name !== 'run')) return printHelp(name);
  try {
    const command = await entry.load();
    return await command({
      args: rest,
      stdout: text => writeFully(1, text),
      stderr: text => writeFully(2, text),
      signal: catchSignals(rest.includes('--run-folder')),
    });
  } catch (error) {
    return printError(error);
  }
}

/** `isDetached`: a run that outlives its connection, which a hang-up must not end. */
function catchSignals(isDetached: boolean): AbortSignal {
  const controller = new AbortController();
  const abort = (signal: NodeJS.Signals) => controller.abort(new Error(signal));
  process.on('SIGTERM', abort);
  process.on('SIGHUP', isDetached ? () => {} : abort);
  // A second Ctrl-C ends at once, by the default action.
  process.once('SIGINT', abort);
  return controller.signal;
}

function printHelp(name: string | undefined): number {
  const entry = commands.find(each => each.name === name);
  return print(entry ? formatCommandHelp(entry) : formatHelp(commands));
}

function print(text: string): number {
  writeFully(1, text);
  return 0;
}

function printError(caught: unknown): number {
  const error = explainSystemError(caught);
  if (isFailure(error)) {
    writeFully(2, `${formatFailure(error)}\n`);
    return error.code === 'helper/usage' ? 2 : 1;
  }
  writeFully(2, `This is a fault in the helper ${version}:\n${error instanceof Error ? error.stack : String(error)}\n`);
  return 1;
}
