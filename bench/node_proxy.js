// A bare reverse proxy as one writes it with Node's http module. node node_proxy.js PORT TARGET_PORT
const http = require('http');
const [port, target] = process.argv.slice(2).map(Number);
const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });

http.createServer((incoming, outgoing) => {
  const options = {
    host: '127.0.0.1', port: target, agent, method: incoming.method, path: incoming.url, headers: incoming.headers,
  };
  const asked = http.request(options, (answer) => {
    outgoing.writeHead(answer.statusCode, answer.headers);
    answer.pipe(outgoing);
  });
  asked.on('error', () => { outgoing.writeHead(502); outgoing.end(); });
  incoming.pipe(asked);
}).listen(port, '127.0.0.1');
