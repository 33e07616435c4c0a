// Removes the dist folder of the package it is called from.
import { rmSync } from 'node:fs';

rmSync('dist', { recursive: true, force: true });
