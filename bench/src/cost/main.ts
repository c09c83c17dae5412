import process from 'node:process';
import { costDocument } from './cost-document.ts';

process.stdout.write(`${costDocument()}\n`);
