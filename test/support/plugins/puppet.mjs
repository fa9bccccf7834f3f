#!/usr/bin/env node
// A control script whose every word comes from a test, which reads every word that it is told.
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';

const socket = connect(fileURLToPath(new URL('../puppet.sock', import.meta.url)));
socket.on('error', () => process.exit(1));
socket.on('close', () => process.exit(0));
process.stdin.pipe(socket);
socket.pipe(process.stdout);
