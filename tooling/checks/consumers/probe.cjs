// Copied beside every consumer's start: serves the app once, sends the requests of its case, and says what came back.
'use strict';
const http = require('node:http');

exports.probe = function probe(app) {
  const requests = JSON.parse(process.env.PROBE_REQUESTS || '[]');
  const server = http.createServer(app);
  server.listen(0, '127.0.0.1', () => void ask(server, requests));
};

async function ask(server, requests) {
  try {
    for (const request of requests) await send(server.address().port, request);
    console.log(`PROBE ${requests.length} requests`);
  } catch (error) {
    console.error(`PROBE FAILED ${error.message}`);
    process.exitCode = 1;
  } finally {
    server.close();
    server.closeAllConnections();
    // Stores and timers of a start are not what is tested here.
    setTimeout(() => process.exit(), 50);
  }
}

function send(port, { method = 'GET', path = '/', headers = {}, body, status, header = {}, text }) {
  return new Promise((resolve, reject) => {
    const request = http.request({ port, host: '127.0.0.1', method, path, headers }, (response) => {
      let received = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => (received += chunk));
      response.on('end', () => {
        const got = `${method} ${path}: ${response.statusCode} ${received.slice(0, 120)} ${JSON.stringify(response.headers)}`;
        if (response.statusCode !== status) return reject(new Error(`expected ${status}; ${got}`));
        for (const [name, pattern] of Object.entries(header)) {
          if (!new RegExp(pattern).test(response.headers[name] ?? '')) {
            return reject(new Error(`expected ${name}: ${pattern}; ${got}`));
          }
        }
        if (text && !new RegExp(text).test(received)) return reject(new Error(`expected ${text}; ${got}`));
        resolve();
      });
    });
    request.on('error', reject);
    if (body !== undefined) request.setHeader('content-type', 'application/json').write(JSON.stringify(body));
    request.end();
  });
}
