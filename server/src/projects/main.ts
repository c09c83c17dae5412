import process from 'node:process';
import { readOrMakeProjectsFile } from '../projects-file.ts';

/** Makes a projects file where there is none, for the roles of a cluster: `npm run projects -- FILE.json`. */
const [path] = process.argv.slice(2);
if (path === undefined) {
  process.stderr.write('Say which file: npm run projects -- FILE.json\n');
  process.exit(2);
}
const { projects } = await readOrMakeProjectsFile(path);
process.stdout.write(`${path} has ${projects.length === 1 ? 'one project' : `${projects.length} projects`}\n`);
