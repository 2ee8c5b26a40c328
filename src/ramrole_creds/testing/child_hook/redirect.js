// Loaded by the Node.js children of a test: redirects their connections to the metadata address to the fake cloud.
'use strict';
const net = require('net');

const ADDRESSES = new Set(['100.100.100.200', '::ffff:100.100.100.200']);
const given = process.env.RAMROLE_CREDS_TEST_REDIRECT;

if (given) {
  const fake = given === 'none' ? { hostname: '127.0.0.1', port: 9 } : new URL(given);
  const target = { host: fake.hostname.replace(/^\[|\]$/g, ''), port: Number(fake.port) };
  const connect = net.Socket.prototype.connect;
  net.Socket.prototype.connect = function (...args) {
    const first = Array.isArray(args[0]) ? args[0][0] : args[0]; // net.connect hands on its arguments in an array
    if (first && typeof first === 'object' && ADDRESSES.has(first.host)) Object.assign(first, target);
    else if (ADDRESSES.has(args[1])) args.splice(0, 2, target.port, target.host);
    return connect.apply(this, args);
  };
}
