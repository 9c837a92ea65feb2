// What npm would publish: whatever the exports name is in it, with types, and no test or tool is.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const { exports } = JSON.parse(readFileSync('package.json', 'utf8'));
const [packed] = JSON.parse(execFileSync('npm', ['pack', '--dry-run', '--json'], { encoding: 'utf8' }));
const files = packed.files.map(file => file.path);

const promised = Object.values(exports)
  .flatMap(entry => Object.values(entry))
  .map(path => path.replace('./', ''));
const missing = [...promised, 'LICENSE', 'README.md'].filter(path => !files.includes(path));
const surplus = files.filter(
  path => !/^(dist\/|src\/|LICENSE$|README\.md$|package\.json$)/.test(path) || /\.test\.|testing/.test(path),
);
for (const path of missing) console.log(`${packed.name}: ${path} is not in the package`);
for (const path of surplus) console.log(`${packed.name}: ${path} does not belong in the package`);
console.log(`${packed.name}: ${files.length} files, ${packed.size} bytes packed`);
if (missing.length > 0 || surplus.length > 0) process.exitCode = 1;
